#include "core/wire/encoding.hpp"

#include <type_traits>

namespace imgpress::wire {
namespace {

// Calls visit(field) for each field of a message.
template <typename Visit, typename M>
void visit_fields(Visit& visit, M& message) {
  std::apply([&](auto... field) { (visit(message.*field), ...); }, M::fields());
}

template <typename Visit, typename C>
void visit_confinement(Visit& visit, C& confinement) {
  visit(confinement.layers);
  visit(confinement.landlock_abi);
  visit(confinement.reaches_network);
  visit(confinement.reaches_any_port);
}

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
  void operator()(const std::vector<std::string>& values) {
    (*this)(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) (*this)(value);
  }
  // Structs that have fields(), as the messages do.
  template <typename T>
  void operator()(const std::vector<T>& values) {
    (*this)(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) visit_fields(*this, value);
  }
  void operator()(const ImageOptions& options) {
    visit_options([&](const auto& option) { (*this)(options.*option.field); });
  }
  void operator()(const HostLimits& limits) {
    visit_host_limits([&](const auto& limit) { (*this)(limits.*limit.field); });
  }
  void operator()(const Confinement& confinement) { visit_confinement(*this, confinement); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  // An enum has its number of values beside it, as count_of().
  template <typename T>
  void operator()(T& value) {
    read_number(value);
    if constexpr (std::is_enum_v<T>) require(static_cast<std::size_t>(value) < count_of(value));
  }
  void operator()(std::string& value) {
    std::uint32_t size = 0;
    (*this)(size);
    value = std::string(take(size));
  }
  void operator()(std::vector<std::string>& values) {
    std::uint32_t count = 0;
    (*this)(count);
    values.clear();
    for (std::uint32_t i = 0; i < count; ++i) (*this)(values.emplace_back());
  }
  template <typename T>
  void operator()(std::vector<T>& values) {
    std::uint32_t count = 0;
    (*this)(count);
    values.clear();
    for (std::uint32_t i = 0; i < count; ++i) visit_fields(*this, values.emplace_back());
  }
  void operator()(ImageOptions& options) {
    visit_options([&](const auto& option) {
      read_number(options.*option.field);
      require(option.holds(options.*option.field));
    });
  }
  void operator()(HostLimits& limits) {
    visit_host_limits([&](const auto& limit) {
      read_number(limits.*limit.field);
      require(limit.holds(limits.*limit.field));
    });
  }
  void operator()(Confinement& confinement) { visit_confinement(*this, confinement); }
  void expect_end() const {
    if (!bytes_.empty()) throw WireError("surplus bytes after a message");
  }

 private:
  template <typename T>
  void read_number(T& value) {
    static_assert(std::is_integral_v<T> || std::is_enum_v<T>);
    const std::string_view raw = take(sizeof(T));
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      sum |= static_cast<std::uint64_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
    }
    if constexpr (std::is_same_v<T, bool>) require(sum <= 1);
    value = static_cast<T>(sum);
  }
  void require(bool in_range) {
    if (!in_range) throw WireError("value out of range in a message");
  }
  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) throw WireError("message ends too early");
    const std::string_view head = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return head;
  }

  std::string_view bytes_;
};

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
  std::uint8_t kind = 0;
  reader(kind);
  Message message = read_alternative(kind, reader);
  reader.expect_end();
  return message;
}

}  // namespace imgpress::wire
