// tests/cases/output_urls.tsv, for the tests of those who make output URLs and of the gateway.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace imgpress {

constexpr const char* kCaseRequest = "0123abcd-4567-89ef-0123-456789abcdef";
constexpr int kCaseImage = 12;

struct OutputUrlCase {
  std::string public_url;
  std::string source_url;
  std::string format;
  std::string output_url;  // of image kCaseImage of request kCaseRequest
  std::string simulated_url;
};

inline std::vector<OutputUrlCase> output_url_cases() {
  std::ifstream file(IMGPRESS_SOURCE_DIR "/tests/cases/output_urls.tsv");
  const std::string placeholder = "{request}/{image}";
  std::vector<OutputUrlCase> cases;
  bool header = true;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (std::exchange(header, false)) continue;
    OutputUrlCase one;
    std::istringstream fields(line);
    for (std::string* field :
         {&one.public_url, &one.source_url, &one.format, &one.output_url, &one.simulated_url}) {
      if (!std::getline(fields, *field, '\t')) throw std::runtime_error("missing field: " + line);
    }
    one.output_url.replace(one.output_url.find(placeholder), placeholder.size(),
                           std::string(kCaseRequest) + '/' + std::to_string(kCaseImage));
    cases.push_back(one);
  }
  if (cases.empty()) throw std::runtime_error("no cases of output URLs");
  return cases;
}

}  // namespace imgpress
