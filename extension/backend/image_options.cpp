#include "backend/image_options.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/settings.hpp"

extern "C" {
#include "utils/jsonb.h"
#include "utils/numeric.h"
}

namespace imgpress {
namespace {

// A member of a JSON object as text; nullptr for null.
const char* text_of(const JsonbValue& value) {
  switch (value.type) {
    case jbvNull:
      return nullptr;
    case jbvString:
      return pnstrdup(value.val.string.val, value.val.string.len);
    case jbvNumeric:
      return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
    case jbvBool:
      return value.val.boolean ? "true" : "false";
    default:  // no option holds a list or an object
      return JsonContainerIsArray(value.val.binary.data) ? "several values" : "an object";
  }
}

// The SQL type of an option's argument.
Oid argument_type(const NumberOption&) {
  return INT4OID;
}
template <typename Enum, std::size_t N>
Oid argument_type(const WordOption<Enum, N>&) {
  return TEXTOID;
}
Oid argument_type(const SwitchOption&) {
  return BOOLOID;
}

// An argument as text.
const char* argument_text(FunctionCallInfo fcinfo, int number, const NumberOption&) {
  return psprintf("%d", PG_GETARG_INT32(number));
}

template <typename Enum, std::size_t N>
const char* argument_text(FunctionCallInfo fcinfo, int number, const WordOption<Enum, N>&) {
  return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

const char* argument_text(FunctionCallInfo fcinfo, int number, const SwitchOption&) {
  return PG_GETARG_BOOL(number) ? "true" : "false";
}

}  // namespace

ImageOptions options_of_arguments(FunctionCallInfo fcinfo, int first) {
  ImageOptions options = settings().options;
  int number = first;
  visit_options([&](const auto& option) {
    const int argument = number++;
    if (argument >= PG_NARGS() || PG_ARGISNULL(argument)) return;
    // In a database that has not been updated the arguments may be those of an earlier table.
    if (get_fn_expr_argtype(fcinfo->flinfo, argument) != argument_type(option)) {
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("argument %d is not the option %s of the installed library",
                             argument + 1, option.name),
                      errhint("Run ALTER EXTENSION imgpress UPDATE.")));
    }
    const char* text = argument_text(fcinfo, argument, option);
    guard([&] { set_option(options, option.name, text); });
  });
  return options;
}

ImageOptions options_of_json(Datum jsonb, UnknownOption unknown) {
  Jsonb* object = DatumGetJsonbP(jsonb);
  if (!JB_ROOT_IS_OBJECT(object)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the options must be a JSON object like {\"quality\": 50}")));
  }
  ImageOptions options = settings().options;
  JsonbIterator* iterator = JsonbIteratorInit(&object->root);
  JsonbValue value;
  const char* name = "";
  for (;;) {
    const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, true);
    if (token == WJB_DONE) return options;
    if (token == WJB_KEY) name = pnstrdup(value.val.string.val, value.val.string.len);
    if (token != WJB_VALUE) continue;
    const char* text = text_of(value);
    if (text == nullptr) continue;
    guard([&] {
      if (unknown == UnknownOption::kRefuse) {
        set_option(options, name, text);
      } else {
        set_known_option(options, name, text);
      }
    });
  }
}

}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_encoder_version);
PG_FUNCTION_INFO_V1(imgpress_complete_options);
PG_FUNCTION_INFO_V1(imgpress_check_options);
}

Datum imgpress_encoder_version(PG_FUNCTION_ARGS) {
  PG_RETURN_INT32(kEncoderVersion);
}

// complete_options(): what is stored with a request.
Datum imgpress_complete_options(PG_FUNCTION_ARGS) {
  const ImageOptions options = options_of_json(PG_GETARG_DATUM(0), UnknownOption::kRefuse);
  char json[1024];
  guard([&] { strlcpy(json, to_json(options).c_str(), sizeof(json)); });
  PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

// check_options(): true, or an error about a value that its option does not allow. Options of other
// versions are ignored: a later version may store more, or no longer know one.
Datum imgpress_check_options(PG_FUNCTION_ARGS) {
  options_of_json(PG_GETARG_DATUM(0), UnknownOption::kIgnore);
  PG_RETURN_BOOL(true);
}
