// A fetcher process and its transfers. It answers in the order in which they end.
//
// A fetcher is confined to the files and ports that were allowed when it started. When another file
// takes the place of one, or a setting changes what it needs, a new fetcher gets all further
// requests. The former one stays until it has answered those that it has.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/rules/host_rule.hpp"
#include "core/rules/host_state.hpp"
#include "drain/presses/press_client.hpp"

namespace imgpress {

// How a transfer ended.
struct FetchOutcome {
  std::uint64_t id = 0;
  Fault fault = Fault::kNone;
  int http_status = 0;
  std::uint32_t retry_after_seconds = 0;
  bool postponed = false;  // not begun, because the host has asked for a pause
  std::string reason;      // why it failed
  HeldMemory body;         // sealed memfd: of a download that succeeded
  std::uint64_t body_bytes = 0;
  SourceVersion version;      // of the body
  bool not_modified = false;  // no body: it is still the version that the request named
};

struct Download {
  std::string url;
  Validators
      validators{};  // of the version that the owner has; with any it may end as not modified
  std::vector<std::string> headers{};  // secrets of its origin
};

class FetcherClient {
 public:
  void start(const PressSettings& settings, TimePoint now);
  void stop();
  // The new settings apply to transfers that are requested from now on.
  void reconfigure(const PressSettings& settings);
  // Rules for hosts replace the earlier ones.
  void set_host_rules(std::vector<HostRule> rules);
  bool running() const { return current_->press.running(); }
  bool ready() const { return current_->press.ready(); }
  int fd() const { return poll_.get(); }  // the same one until the next start()

  // Downloads slow down before they and what is in the ledger reach the limit. Their bodies are
  // entered there. REQUIRES: called before start(), or with the same ledger.
  void limit_memory(std::shared_ptr<MemoryLedger> ledger, std::uint64_t bytes);
  // Tells the fetcher of memory that is free now. To be called by deadline().
  void tell_memory(TimePoint now);
  std::uint64_t memory_use() const;  // of downloads, as reported

  // Request a download, or the delivery of a webhook. Throw WireError when the request is too large
  // for a message.
  PacketSocket::Sent download(std::uint64_t id, const Download& download, TimePoint now);
  PacketSocket::Sent deliver(std::uint64_t id, const DeliveryTask& delivery, TimePoint now);

  // The next transfer that has ended; no value when none has. Throws PressEnded when the fetcher
  // has ended or is stopped, has not answered in time, or gives an answer that was not requested or
  // lacks its body.
  std::optional<FetchOutcome> receive(TimePoint now);

  // What the fetcher has reported last about hosts, which is at most kReportedHosts; the number of
  // the report changes with it.
  const std::vector<HostState>& host_states() const { return host_states_; }
  std::uint64_t host_report() const { return host_report_; }

  std::size_t in_flight() const;
  // When to call receive() even if nothing is readable.
  TimePoint deadline() const;

 private:
  struct Memory {
    std::uint64_t received = 0;  // bytes of all bodies
    std::optional<wire::MemoryGrant> granted;
    TimePoint tell_again{};  // after the socket was full
    wire::MemoryUse use;     // as reported
    int reports = 0;         // within this second
    TimePoint count_until{};
  };

  struct Requested {
    wire::Method method = wire::Method::kGet;
    std::uint64_t max_bytes = 0;
    bool is_conditional = false;
  };

  // A process, and what was requested of it.
  struct Fetcher {
    PressClient press;
    std::vector<std::string> arguments;
    std::unordered_map<std::uint64_t, Requested> in_flight;  // by id
    TimePoint answer_by{};
    Memory memory;

    bool is_busy() const { return press.running() && (!press.ready() || !in_flight.empty()); }
    TimePoint answer_due() const;
    TimePoint deadline() const;
  };

  PacketSocket::Sent send(wire::FetchRequest request, TimePoint now);
  wire::FetcherSettings fetcher_settings() const;
  PacketSocket::Sent send_settings();
  PacketSocket::Sent send_host_rules();
  void start_process(TimePoint now);
  bool is_outdated(TimePoint now);
  void replace(TimePoint now);
  void give_back(Fetcher& fetcher, const std::string& reason);
  std::optional<FetchOutcome> receive_from(Fetcher& fetcher, TimePoint now);
  std::optional<FetchOutcome> receive_from_former(TimePoint now);
  void count_report(Fetcher& fetcher, TimePoint now);
  bool note_report(Fetcher& fetcher, Packet& packet, TimePoint now);
  FetchOutcome outcome_of(Fetcher& fetcher, const wire::FetchReply& reply, UniqueFd body) const;
  wire::MemoryGrant memory_grant(const Fetcher& fetcher) const;
  bool must_tell_memory(const Fetcher& fetcher) const;
  void tell_memory(Fetcher& fetcher, TimePoint now);
  TimePoint memory_deadline(const Fetcher& fetcher) const;

  UniqueFd poll_;  // reports each fetcher
  std::unique_ptr<Fetcher> current_ = std::make_unique<Fetcher>();
  std::deque<std::unique_ptr<Fetcher>> former_;
  std::deque<FetchOutcome> given_back_;  // transfers of a former fetcher that has ended
  PressSettings settings_;
  std::string encoded_settings_;  // sent when they change
  bool settings_are_sent_ = false;
  std::vector<HostState> host_states_;
  std::uint64_t host_report_ = 0;
  std::vector<HostRule> host_rules_;
  std::size_t host_rules_sent_ = 0;  // of them
  bool host_rules_are_new_ = false;  // to the fetcher, which has none at first
  TimePoint next_file_check_{};
  std::shared_ptr<MemoryLedger> ledger_;  // nullptr: nothing is limited
  std::uint64_t memory_limit_ = 0;
};

}  // namespace imgpress
