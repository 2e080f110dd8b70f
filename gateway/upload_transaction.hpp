// Stores an uploaded CSV in PostgreSQL, in one transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "pool.hpp"
#include "row_stream.hpp"
#include "upload_form.hpp"

namespace imgpress::gateway {

class UploadTransaction : public FileSink {
 public:
  explicit UploadTransaction(Pool& pool) : pool_(pool) {}
  // Rolls back unless committed, and returns the connection to the pool.
  ~UploadTransaction() override;
  UploadTransaction(const UploadTransaction&) = delete;
  UploadTransaction& operator=(const UploadTransaction&) = delete;

  // All functions below throw DatabaseError and DatabaseUnavailable.

  // FileSink. Takes a connection only here, when there is something to store.
  void begin() override;
  void write(std::string_view bytes) override;

  // Submits the CSV and commits; if it has faults, the transaction stays open to stream them.
  struct Outcome {
    std::string request_id;             // of the new request; empty if the CSV has faults
    std::string ignored_columns;        // a JSON array
    std::string ignored_fields;         // likewise
    std::shared_ptr<RowStream> faults;  // the answer, if the CSV has faults
  };
  // REQUIRES: begin() was called.
  Outcome submit(const Json& fields);

  // Rolls back. Can be called at any time.
  void abandon() noexcept;

 private:
  void send_part();
  std::shared_ptr<RowStream> open_faults(const std::string& message);

  Pool& pool_;
  std::optional<Lease> lease_;  // held while the transaction is open
  bool copying_ = false;
  std::string upload_id_;
  std::string part_;
  std::int32_t part_number_ = 0;
};

}  // namespace imgpress::gateway
