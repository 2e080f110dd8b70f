#include "upload.hpp"

#include <exception>

#include "answers.hpp"
#include "http_server.hpp"
#include "multipart.hpp"
#include "upload_form.hpp"
#include "upload_transaction.hpp"

namespace imgpress::gateway {
namespace {

// Passes a body through the parser of the form into the transaction.
class Upload {
 public:
  Upload(Pool& pool, std::uint64_t most_bytes, const std::string& boundary)
      : transaction_(pool), form_(transaction_, most_bytes), parser_(boundary, form_) {}

  // Never throws: after the first failure the rest of the body is ignored.
  void take(std::string_view bytes) noexcept {
    if (failure_) return;
    try {
      parser_.feed(bytes);
    } catch (const std::exception&) {
      failure_ = std::current_exception();
      transaction_.abandon();
    }
  }

  // Throws the first failure.
  UploadTransaction::Outcome finish() {
    if (failure_) std::rethrow_exception(failure_);
    if (!parser_.complete()) throw MultipartError("The form ends before its last boundary.");
    form_.require_file();
    return transaction_.submit(form_.fields());
  }

 private:
  UploadTransaction transaction_;
  UploadForm form_;
  MultipartParser parser_;
  std::exception_ptr failure_;
};

// Names the columns of the file and the fields of the form that are not used, if there are any.
Json accepted(const UploadTransaction::Outcome& outcome) {
  Json answer{{"request_id", outcome.request_id}};
  Json columns = Json::parse(outcome.ignored_columns);
  if (!columns.empty()) answer["ignored_columns"] = std::move(columns);
  Json fields = Json::parse(outcome.ignored_fields);
  if (!fields.empty()) answer["ignored_fields"] = std::move(fields);
  return answer;
}

// A refused upload always has "details", even if no line is at fault.
void answer_bad_upload(httplib::Response& response, const std::string& message) {
  answer_json(response, 400, Json{{"error", message}, {"details", Json::array()}});
}

void answer_upload_failure(httplib::Response& response, const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const MultipartError& error) {
    answer_bad_upload(response, error.what());
  } catch (const FormError& error) {
    if (error.status() == 400) return answer_bad_upload(response, error.what());
    answer_error(response, error.status(), error.what());
  } catch (const std::exception&) {
    const Failure failure = explain(exception);
    if (failure.status == 400) return answer_bad_upload(response, failure.message);
    answer_failure(response, failure);
  }
}

}  // namespace

void answer_upload(Pool& pool, std::uint64_t most_bytes, const httplib::Request& request,
                   httplib::Response& response, const httplib::ContentReader& read_body) {
  Upload upload(pool, most_bytes,
                multipart_boundary(request.get_header_value(kBodyTypeHeader)).value_or(""));
  const bool whole = read_body([&](const char* data, std::size_t size) {
    upload.take({data, size});
    return true;
  });
  if (!whole) {  // the client left or was too slow, and will hardly read the answer
    close_after(response);
    return answer_bad_upload(response, "The upload is incomplete.");
  }
  try {
    const UploadTransaction::Outcome outcome = upload.finish();
    if (outcome.faults) return answer_rows(request, response, 400, outcome.faults);
    answer_json(response, 202, accepted(outcome));
  } catch (const std::exception&) {
    answer_upload_failure(response, std::current_exception());
  }
}

}  // namespace imgpress::gateway
