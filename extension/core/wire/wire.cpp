#include "core/wire/wire.hpp"

#include <type_traits>

namespace imgpress::wire {
namespace {

class Writer {
 public:
  template <typename T>
  void operator()(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      (*this)(static_cast<std::underlying_type_t<T>>(value));
    } else {
      static_assert(std::is_integral_v<T>);
      for (std::size_t i = 0; i < sizeof(T); ++i) {
        bytes_.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i)));
      }
    }
  }
  void operator()(const std::string& value) {
    (*this)(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
  }
  void operator()(const ImageOptions& options) {
    visit_options([&](const auto& option) { (*this)(options.*option.field); });
  }
  void operator()(const HostLimits& limits) {
    visit_host_limits([&](const auto& limit) { (*this)(limits.*limit.field); });
  }
  void operator()(const std::vector<std::string>& values) {
    (*this)(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) (*this)(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  void operator()(T& value) {
    if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> raw{};
      (*this)(raw);
      value = static_cast<T>(raw);
    } else {
      static_assert(std::is_integral_v<T>);
      const std::string_view raw = take(sizeof(T));
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < sizeof(T); ++i) {
        sum |= static_cast<std::uint64_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
      }
      value = static_cast<T>(sum);
    }
  }
  void operator()(std::string& value) {
    std::uint32_t size = 0;
    (*this)(size);
    value = std::string(take(size));
  }
  void operator()(ImageOptions& options) {
    visit_options([&](const auto& option) {
      (*this)(options.*option.field);
      if (!option.holds(options.*option.field)) throw WireError("option out of range in a message");
    });
  }
  void operator()(HostLimits& limits) {
    visit_host_limits([&](const auto& limit) {
      (*this)(limits.*limit.field);
      if (!limit.holds(limits.*limit.field)) throw WireError("limit out of range in a message");
    });
  }
  void operator()(std::vector<std::string>& values) {
    std::uint32_t count = 0;
    (*this)(count);
    values.clear();
    for (std::uint32_t i = 0; i < count; ++i) (*this)(values.emplace_back());
  }
  void expect_end() const {
    if (!bytes_.empty()) throw WireError("surplus bytes behind a message");
  }

 private:
  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) throw WireError("message ends too early");
    const std::string_view head = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return head;
  }
  std::string_view bytes_;
};

// One list of fields for each message serves both directions.
template <typename Visitor, typename M>
void visit_fields(Visitor& visit, M& m) {
  using T = std::remove_const_t<M>;
  if constexpr (std::is_same_v<T, Ready>) {
    visit(m.version), visit(m.pid), visit(m.layers);
  } else if constexpr (std::is_same_v<T, FetcherSettings>) {
    visit(m.allowed_networks), visit(m.host_limits), visit(m.user_agent);
  } else if constexpr (std::is_same_v<T, FetchRequest>) {
    visit(m.id), visit(m.method), visit(m.url), visit(m.headers), visit(m.body);
    visit(m.max_bytes), visit(m.timeout_ms), visit(m.connect_timeout_ms);
  } else if constexpr (std::is_same_v<T, FetchReply>) {
    visit(m.id), visit(m.fault), visit(m.http_status), visit(m.retry_after_seconds);
    visit(m.message), visit(m.postponed);
  } else if constexpr (std::is_same_v<T, CompressRequest>) {
    visit(m.id), visit(m.options), visit(m.max_pixels), visit(m.cpu_seconds);
  } else {
    static_assert(std::is_same_v<T, CompressReply>);
    visit(m.id), visit(m.fault), visit(m.format), visit(m.kept_source);
    visit(m.width), visit(m.height), visit(m.reason), visit(m.warning), visit(m.digest),
        visit(m.work_us);
  }
}

template <std::size_t I = 0>
Message read_alternative(std::size_t index, Reader& reader) {
  if constexpr (I < std::variant_size_v<Message>) {
    if (index != I) return read_alternative<I + 1>(index, reader);
    std::variant_alternative_t<I, Message> message;
    visit_fields(reader, message);
    return message;
  } else {
    throw WireError("unknown kind of message");
  }
}

void check_enums(const Message& message) {
  const auto check = [](auto value, auto last) {
    if (value > last) throw WireError("value out of range in a message");
  };
  if (const auto* fetch = std::get_if<FetchRequest>(&message)) check(fetch->method, Method::kPost);
  if (const auto* reply = std::get_if<FetchReply>(&message)) check(reply->fault, Fault::kCancelled);
  if (const auto* reply = std::get_if<CompressReply>(&message)) {
    check(reply->fault, Fault::kCancelled);
    check(static_cast<std::size_t>(reply->format), kFormats.size() - 1);
  }
}

}  // namespace

std::string encode(const Message& message) {
  Writer writer;
  writer(static_cast<std::uint8_t>(message.index()));
  std::visit([&](const auto& m) { visit_fields(writer, m); }, message);
  std::string bytes = writer.take();
  if (bytes.size() > kMaxMessageBytes) throw WireError("message too long");
  return bytes;
}

Message decode(std::string_view bytes) {
  Reader reader(bytes);
  std::uint8_t index = 0;
  reader(index);
  Message message = read_alternative(index, reader);
  reader.expect_end();
  check_enums(message);
  return message;
}

}  // namespace imgpress::wire
