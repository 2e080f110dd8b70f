// How many images are sent to codecs in advance, and to which codec.
#include "drain/pipeline/codec_stage.hpp"

#include "support/pipeline_fixture.hpp"

namespace imgpress {
namespace {

using std::chrono::seconds;
using test::answer;
using test::OriginRequest;
using test::PipelineTest;
using test::presses;
using test::ScriptedOrigin;

constexpr std::size_t kLargeBytes = 3'000'000;

class CodecStageTest : public PipelineTest {
 protected:
  CodecStageTest() { settings_.codecs = 1; }

  // Stops the codecs after each has reported how long an image takes.
  std::vector<pid_t> stop_codecs(PressPipeline& pipeline) {
    turn_until(pipeline, [&] { return pipeline.ready(); });
    auto codecs = presses("codec");
    compress_some(pipeline, codecs);  // at least one codec has reported its time now
    // A codec that has reported gets two images in advance; one that is not ready yet gets none.
    while (compress_some(pipeline, codecs) < 2 * codecs.size()) continue;
    signal_all(codecs, SIGSTOP);
    return codecs;
  }
  // Returns how many images the codecs were given at once.
  std::size_t compress_some(PressPipeline& pipeline, const std::vector<pid_t>& codecs) {
    signal_all(codecs, SIGSTOP);  // so that none can take the work of another
    for (std::uint64_t key = 1; key <= 4 * codecs.size(); ++key) add(pipeline, key, "/small");
    turn_until(pipeline, [&] { return pipeline.load().fetching == 0; });
    const std::size_t given = pipeline.load().compressing;
    signal_all(codecs, SIGCONT);
    turn_until_outcomes(pipeline, 4 * codecs.size());
    outcomes_.clear();
    return given;
  }
  static void signal_all(const std::vector<pid_t>& codecs, int signal) {
    for (const pid_t codec : codecs) ::kill(codec, signal);
  }
  void add(PressPipeline& pipeline, std::uint64_t key, const std::string& target) {
    pipeline.add(ImageTask{key, origin_.url(target), 50});
  }

  ScriptedOrigin origin_{[picture = test::photograph()](const OriginRequest& request) {
    return answer("200 OK", request.target == "/large" ? std::string(kLargeBytes, 'x') : picture);
  }};
  PipelineSettings settings_ = test::pipeline_settings();
};

TEST_F(CodecStageTest, WithoutAnAbsenceOneImageIsSentInAdvance) {
  PressPipeline pipeline(settings_, Clock::now());
  stop_codecs(pipeline);
  for (std::uint64_t key = 100; key < 110; ++key) add(pipeline, key, "/small");
  turn_until(pipeline, [&] { return pipeline.load().fetching == 0; });
  EXPECT_EQ(pipeline.load().compressing, 2u);
}

TEST_F(CodecStageTest, AnAbsenceIsBridgedUpToALimit) {
  PressPipeline pipeline(settings_, Clock::now());
  stop_codecs(pipeline);
  pipeline.expect_absence(seconds(10));
  for (std::uint64_t key = 100; key < 180; ++key) add(pipeline, key, "/small");
  turn_until(pipeline, [&] { return pipeline.load().fetching == 0; });
  EXPECT_EQ(pipeline.load().compressing, 64u);
  EXPECT_EQ(pipeline.load().waiting, 16u);
}

TEST_F(CodecStageTest, ImagesInAdvanceAreLimitedByTheirBytes) {
  PressPipeline pipeline(settings_, Clock::now());
  stop_codecs(pipeline);
  pipeline.expect_absence(seconds(10));
  for (std::uint64_t key = 100; key < 110; ++key) add(pipeline, key, "/large");
  turn_until(pipeline, [&] { return pipeline.load().fetching == 0; });
  EXPECT_EQ(pipeline.load().compressing, 4u) << "the one that it works on, and 8 MB";
}

TEST_F(CodecStageTest, SmallImagesDoNotWaitBehindALargeOne) {
  settings_.codecs = 2;
  PressPipeline pipeline(settings_, Clock::now());
  const auto codecs = stop_codecs(pipeline);
  ASSERT_EQ(codecs.size(), 2u);
  pipeline.expect_absence(seconds(10));
  add(pipeline, 100, "/large");
  turn_until(pipeline, [&] { return pipeline.load().compressing == 1; });
  for (std::uint64_t key = 101; key < 111; ++key) add(pipeline, key, "/small");
  turn_until(pipeline, [&] { return pipeline.load().compressing == 11; });
  ::kill(codecs[1], SIGCONT);  // the first codec still has the large image
  turn_until_outcomes(pipeline, 10);
  EXPECT_EQ(outcomes_.count(100), 0u);
  ::kill(codecs[0], SIGCONT);
  turn_until_outcomes(pipeline, 11);
}

TEST_F(CodecStageTest, TheDeathOfACodecCostsOneOfTheImagesInAdvance) {
  PressPipeline pipeline(settings_, Clock::now());
  const auto codecs = stop_codecs(pipeline);
  pipeline.expect_absence(seconds(10));
  add(pipeline, 100, "/small");
  turn_until(pipeline, [&] { return pipeline.load().compressing == 1; });
  for (std::uint64_t key = 101; key < 130; ++key) add(pipeline, key, "/small");
  turn_until(pipeline, [&] { return pipeline.load().compressing == 30; });
  ::kill(codecs[0], SIGKILL);
  turn_until_outcomes(pipeline, 30);
  for (const auto& [key, outcome] : outcomes_) {
    EXPECT_EQ(outcome.ending, key == 100 ? Ending::kKilledCodec : Ending::kDone) << key;
  }
}

TEST_F(CodecStageTest, AnswersBeforeTheDeathOfACodecCount) {
  PressPipeline pipeline(settings_, Clock::now());
  const auto codecs = stop_codecs(pipeline);
  pipeline.expect_absence(seconds(10));
  add(pipeline, 100, "/small");
  turn_until(pipeline, [&] { return pipeline.load().compressing == 1; });
  for (std::uint64_t key = 101; key < 160; ++key) add(pipeline, key, "/small");
  turn_until(pipeline, [&] { return pipeline.load().compressing == 60; });
  // It answers at least the first image before it is killed; its owner reads the answer afterwards.
  ::kill(codecs[0], SIGCONT);
  pollfd readable{pipeline.wait_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&readable, 1, 10'000), 1);
  ::kill(codecs[0], SIGKILL);
  turn_until_outcomes(pipeline, 60);
  EXPECT_EQ(outcomes_.at(100).ending, Ending::kDone);
  for (const auto& [key, outcome] : outcomes_) {
    EXPECT_TRUE(outcome.ending == Ending::kDone || outcome.ending == Ending::kKilledCodec) << key;
  }
}

}  // namespace
}  // namespace imgpress
