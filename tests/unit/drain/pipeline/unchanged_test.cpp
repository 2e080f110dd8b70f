// Images that have not changed since they were compressed: no codec sees them.
#include "support/pipeline_fixture.hpp"

namespace imgpress {
namespace {

using test::answer;
using test::OriginAnswer;
using test::OriginRequest;
using test::photograph;
using test::PipelineTest;
using test::ScriptedOrigin;

constexpr std::int64_t kBlob = 42;

class UnchangedTest : public PipelineTest {
 protected:
  // Downloads an image, and makes of its outcome a task for the same image.
  ImageTask seen_before(PressPipeline& pipeline, const std::string& url) {
    pipeline.add(ImageTask{1, url, 50});
    turn_until_outcomes(pipeline, 1);
    const ImageOutcome& first = outcomes_.at(1);
    EXPECT_EQ(first.fault, Fault::kNone) << first.reason;
    EXPECT_EQ(first.blob_id, 0);
    ImageTask task{2, url, 50};
    task.known = {kBlob, first.source};
    return task;
  }
  const ImageOutcome& again(PressPipeline& pipeline, ImageTask task) {
    pipeline.add(std::move(task));
    turn_until_outcomes(pipeline, 2);
    return outcomes_.at(2);
  }

  const std::string picture_ = photograph();
  std::string etag_ = "\"1\"";
  ScriptedOrigin origin_{[this](const OriginRequest& request) {
    if (request.headers.find("If-None-Match: " + etag_ + "\r\n") != std::string::npos) {
      return OriginAnswer{"HTTP/1.1 304 Not Modified\r\n\r\n"};
    }
    return answer("200 OK", picture_, "ETag: " + etag_ + "\r\n");
  }};
  PressPipeline pipeline_{test::pipeline_settings(), Clock::now()};
};

TEST_F(UnchangedTest, NotModified) {
  const ImageOutcome& second = again(pipeline_, seen_before(pipeline_, origin_.url("/a.jpg")));
  EXPECT_EQ(outcomes_.at(1).source.digest.size(), 32u);
  EXPECT_EQ(second.ending, Ending::kDone);
  EXPECT_EQ(second.http_status, 304);
  EXPECT_EQ(second.blob_id, kBlob);
  EXPECT_EQ(second.source.digest, "") << "nothing new is known";
  EXPECT_FALSE(second.output);
}

TEST_F(UnchangedTest, TheSameBytes) {
  ImageTask task = seen_before(pipeline_, origin_.url("/a.jpg"));
  etag_ = "\"2\"";
  const ImageOutcome& second = again(pipeline_, std::move(task));
  EXPECT_EQ(second.http_status, 200);
  EXPECT_EQ(second.blob_id, kBlob);
  EXPECT_EQ(second.source.digest, outcomes_.at(1).source.digest);
  EXPECT_EQ(second.source.validators.etag, "\"2\"") << "the next time it is asked for with this";
}

TEST_F(UnchangedTest, RefreshAlwaysAsksWithoutACondition) {
  ImageTask task = seen_before(pipeline_, origin_.url("/a.jpg"));
  task.options.refresh = Refresh::kAlways;
  const ImageOutcome& second = again(pipeline_, std::move(task));
  EXPECT_EQ(second.http_status, 200);
  EXPECT_EQ(second.blob_id, kBlob) << "the bytes are the same";
}

TEST_F(UnchangedTest, OtherBytes) {
  ImageTask task = seen_before(pipeline_, origin_.url("/a.jpg"));
  task.known.version.digest[0] = static_cast<char>(~task.known.version.digest[0]);
  task.known.version.validators.etag = "\"0\"";
  const ImageOutcome& second = again(pipeline_, std::move(task));
  EXPECT_EQ(second.blob_id, 0);
  EXPECT_TRUE(second.output);
  EXPECT_EQ(second.source.digest, outcomes_.at(1).source.digest);
}

// A digest is not looked up anywhere: without a blob that the queue names, there is none.
TEST_F(UnchangedTest, NothingIsKnown) {
  ImageTask task = seen_before(pipeline_, origin_.url("/a.jpg"));
  task.known.blob_id = 0;
  task.known.version.validators = {};
  EXPECT_EQ(again(pipeline_, std::move(task)).blob_id, 0);
}

}  // namespace
}  // namespace imgpress
