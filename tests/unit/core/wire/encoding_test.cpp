#include "core/wire/encoding.hpp"

#include <gtest/gtest.h>

namespace imgpress::wire {
namespace {

// Becomes a field of any type.
struct Anything {
  template <typename T>
  operator T() const;
};

// True if M can be initialised with that many fields.
template <typename M, typename... Fields>
constexpr auto takes(int) -> decltype(M{Fields{}...}, true) {
  return true;
}
template <typename M, typename... Fields>
constexpr bool takes(...) {
  return false;
}

template <typename M, typename... Fields>
constexpr std::size_t count_fields() {
  if constexpr (takes<M, Fields..., Anything>(0)) {
    return count_fields<M, Fields..., Anything>();
  } else {
    return sizeof...(Fields);
  }
}

// A default-constructed message of every kind.
template <std::size_t... I>
std::vector<Message> one_of_each(std::index_sequence<I...>) {
  static_assert(((std::tuple_size_v<decltype(std::variant_alternative_t<I, Message>::fields())> ==
                  count_fields<std::variant_alternative_t<I, Message>>()) &&
                 ...),
                "every field of a message must be listed in its fields()");
  return {Message(std::in_place_index<I>)...};
}

std::vector<Message> one_of_each() {
  return one_of_each(std::make_index_sequence<std::variant_size_v<Message>>());
}

template <typename M>
M round_trip(const M& message) {
  return std::get<M>(decode(encode(message)));
}

FetchRequest sample_request() {
  FetchRequest request;
  request.id = 0x0123456789abcdef;
  request.method = Method::kPost;
  request.url = "https://example.com/a b?\xc3\xa9";
  request.headers = {"webhook-id: msg_1", "", "content-type: application/json"};
  request.body = std::string("{\"zero\":\0}", 10);
  request.max_bytes = 1ull << 40;
  request.timeout_ms = 30'000;
  request.connect_timeout_ms = 0xffffffff;
  return request;
}

TEST(WireTest, Ready) {
  const auto got = round_trip(Ready{"1.2.3", 4711, {"no_new_privs", "undumpable"}});
  EXPECT_EQ(got.version, "1.2.3");
  EXPECT_EQ(got.pid, 4711u);
  EXPECT_EQ(got.layers, (std::vector<std::string>{"no_new_privs", "undumpable"}));
  // Every version of a press begins with these bytes.
  EXPECT_EQ(encode(Ready{"1", 2, {}}), std::string("\0\1\0\0\0001\2\0\0\0\0\0\0\0", 14));
}

TEST(WireTest, FetcherSettings) {
  HostLimits limits;
  visit_host_limits([&](const HostLimit& limit) { limits.*limit.field = limit.most; });
  const auto got = round_trip(
      FetcherSettings{"10.0.0.0/8,fd00::/8", limits, "imgpress/1", {"Accept: image/*"}, true});
  EXPECT_EQ(got.allowed_networks, "10.0.0.0/8,fd00::/8");
  EXPECT_EQ(got.user_agent, "imgpress/1");
  EXPECT_EQ(got.headers, std::vector<std::string>{"Accept: image/*"});
  visit_host_limits([&](const HostLimit& limit) {
    EXPECT_EQ(got.host_limits.*limit.field, limit.most) << limit.name;
    limits.*limit.field = limit.most + 1;
    EXPECT_THROW(round_trip(FetcherSettings{"", limits, "", {}, false}), WireError) << limit.name;
    limits.*limit.field = limit.most;
  });
}

TEST(WireTest, HostRules) {
  const HostRules sent{false, {{"*.example.com", 2'000'000, 3, false}, {"a:81", 0, 0, true}}};
  const auto got = round_trip(sent);
  EXPECT_FALSE(got.is_first);
  EXPECT_EQ(got.rules, sent.rules);
}

TEST(WireTest, FetchRequest) {
  const FetchRequest sent = sample_request();
  const auto got = round_trip(sent);
  EXPECT_EQ(got.id, sent.id);
  EXPECT_EQ(got.method, Method::kPost);
  EXPECT_EQ(got.url, sent.url);
  EXPECT_EQ(got.headers, sent.headers);
  EXPECT_EQ(got.body, sent.body);
  EXPECT_EQ(got.max_bytes, sent.max_bytes);
  EXPECT_EQ(got.timeout_ms, sent.timeout_ms);
  EXPECT_EQ(got.connect_timeout_ms, sent.connect_timeout_ms);
}

TEST(WireTest, FetchReply) {
  const auto got = round_trip(
      FetchReply{7, Fault::kHttpStatus, 429, 60, "HTTP 429", true, true, "d", "\"e\"", "date"});
  EXPECT_EQ(got.id, 7u);
  EXPECT_EQ(got.fault, Fault::kHttpStatus);
  EXPECT_EQ(got.http_status, 429u);
  EXPECT_EQ(got.retry_after_seconds, 60u);
  EXPECT_EQ(got.message, "HTTP 429");
  EXPECT_TRUE(got.postponed);
  EXPECT_TRUE(got.not_modified);
  EXPECT_EQ(got.digest, "d");
  EXPECT_EQ(got.etag, "\"e\"");
  EXPECT_EQ(got.last_modified, "date");
}

TEST(WireTest, CompressRequestAndReply) {
  const auto request =
      round_trip(CompressRequest{8, {73, Effort::kSmall, true}, 1ull << 33, 20, true});
  EXPECT_EQ(request.id, 8u);
  EXPECT_EQ(request.options.quality, 73);
  EXPECT_EQ(request.max_pixels, 1ull << 33);
  EXPECT_EQ(request.cpu_seconds, 20u);
  EXPECT_TRUE(request.may_be_large);
  EXPECT_EQ(request.options.effort, Effort::kSmall);
  EXPECT_TRUE(request.options.accept_truncated);
  const auto reply = round_trip(CompressReply{9, Fault::kNone, ImageFormat::kGif, true, 640, 480,
                                              "broken", "kept", "abcd", 1234, true});
  EXPECT_EQ(reply.id, 9u);
  EXPECT_EQ(reply.fault, Fault::kNone);
  EXPECT_EQ(reply.format, ImageFormat::kGif);
  EXPECT_TRUE(reply.kept_source);
  EXPECT_EQ(reply.width, 640u);
  EXPECT_EQ(reply.height, 480u);
  EXPECT_EQ(reply.digest, "abcd");
  EXPECT_EQ(reply.work_us, 1234u);
  EXPECT_TRUE(reply.is_large);
  EXPECT_EQ(reply.reason, "broken");
  EXPECT_EQ(reply.warning, "kept");
}

TEST(WireTest, Memory) {
  const auto grant = round_trip(MemoryGrant{1ull << 40, -5, true});
  EXPECT_EQ(grant.received, 1ull << 40);
  EXPECT_EQ(grant.room, -5);
  EXPECT_TRUE(grant.idle);
  const auto use = round_trip(MemoryUse{1ull << 33, true});
  EXPECT_EQ(use.bytes, 1ull << 33);
  EXPECT_TRUE(use.is_short);
}

TEST(WireTest, EveryTruncationIsRefused) {
  std::vector<Message> messages = one_of_each();
  messages.emplace_back(sample_request());
  for (const Message& message : messages) {
    const std::string bytes = encode(message);
    EXPECT_EQ(encode(decode(bytes)), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_THROW(decode(std::string_view(bytes).substr(0, size)), WireError) << size;
    }
    EXPECT_THROW(decode(bytes + '\0'), WireError);
  }
}

TEST(WireTest, UnknownKindsAndValuesAreRefused) {
  std::string bytes = encode(FetchReply{});
  bytes[0] = static_cast<char>(std::variant_size_v<Message>);
  EXPECT_THROW(decode(bytes), WireError);
  bytes = encode(FetchReply{});
  bytes[9] = static_cast<char>(Fault::kEnd);
  EXPECT_THROW(decode(bytes), WireError);
  bytes = encode(CompressReply{});
  bytes[10] = static_cast<char>(count_of(ImageFormat()));
  EXPECT_THROW(decode(bytes), WireError);
  bytes = encode(sample_request());
  bytes[9] = static_cast<char>(count_of(Method()));
  EXPECT_THROW(decode(bytes), WireError);
}

TEST(WireTest, HugeCountsDoNotAllocate) {
  std::string bytes = encode(FetchRequest{});
  // The number of headers comes after kind, id, method and the empty URL.
  const std::size_t count_at = 1 + 8 + 1 + 4;
  for (std::size_t i = 0; i < 4; ++i) bytes[count_at + i] = '\xff';
  EXPECT_THROW(decode(bytes), WireError);
}

TEST(WireTest, TooLongMessagesAreRefused) {
  FetchRequest request;
  request.body.assign(kMaxMessageBytes, 'x');
  EXPECT_THROW(encode(request), WireError);
  request.body.resize(kMaxMessageBytes - encode(FetchRequest{}).size());
  EXPECT_EQ(encode(request).size(), kMaxMessageBytes);
}

}  // namespace
}  // namespace imgpress::wire
