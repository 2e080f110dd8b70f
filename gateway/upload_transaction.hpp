// A CSV on its way into PostgreSQL: one transaction, of which nothing stays unless it is committed.
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
  // Rolls back what was not committed and returns the connection in good order.
  ~UploadTransaction() override;
  UploadTransaction(const UploadTransaction&) = delete;
  UploadTransaction& operator=(const UploadTransaction&) = delete;

  // All below throw DatabaseError and DatabaseUnavailable.

  // FileSink: takes a connection only now, when there is something to store.
  void begin() override;
  void write(std::string_view bytes) override;

  // Ends the transaction: by commit, or by taking the faults out of it for the answer.
  struct Outcome {
    std::string request_id;             // of the new request, or empty
    std::string ignored_columns;        // a JSON array
    std::string ignored_fields;         // likewise
    std::shared_ptr<RowStream> faults;  // the JSON of the answer where the CSV has faults
  };
  // REQUIRES: begin() was called.
  Outcome submit(const Json& fields);

  // Rolls back. May be called at any time.
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
