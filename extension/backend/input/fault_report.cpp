#include "backend/input/fault_report.hpp"

extern "C" {
#include "lib/stringinfo.h"
}

namespace imgpress {
namespace {

constexpr std::size_t kMaxFaultsInError = 20;

// "line 3, Product Name: empty", one fault a line.
char* describe_faults(const InputFaults* faults, const char* unit) {
  StringInfoData text;
  initStringInfo(&text);
  const std::size_t shown = Min(faults->count(), kMaxFaultsInError);
  for (std::size_t i = 0; i < shown; ++i) {
    const InputFault& fault = faults->listed()[i];
    if (i > 0) appendStringInfoChar(&text, '\n');
    if (fault.line > 0) appendStringInfo(&text, "%s %d", unit, fault.line);
    if (!fault.column.empty()) appendStringInfo(&text, ", %s", fault.column.c_str());
    appendStringInfo(&text, "%s%s", text.len > 0 && fault.line > 0 ? ": " : "",
                     fault.message.c_str());
  }
  if (faults->count() > shown) {
    appendStringInfo(&text, "\n... and %zu more", faults->count() - shown);
  }
  return text.data;
}

}  // namespace

void raise_faults(const InputFaults* faults, const FaultReport& report) {
  const std::size_t count = faults->count();
  if (count == 0) return;
  // The context lines of the calling functions would only bury the list of faults.
  error_context_stack = nullptr;
  ereport(ERROR, (errcode(report.sqlstate),
                  errmsg("%s %zu %s; nothing was stored", report.subject, count,
                         count == 1 ? "fault" : "faults"),
                  errdetail("%s", describe_faults(faults, report.unit)),
                  report.hint != nullptr ? errhint("%s", report.hint) : 0));
}

}  // namespace imgpress
