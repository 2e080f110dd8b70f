// The baseline of the fetch benchmark: what libcurl itself costs, without imgpress.
//
//   imgpress-bench-fetch < URLs, one a line
//
// Downloads the URLs one after the other over one connection, into memory. Prints
// "URLS<TAB>CPU_SECONDS<TAB>BYTES".
#include <curl/curl.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cpu_clock.hpp"

namespace {

std::size_t append(char* data, std::size_t, std::size_t size, void* body) {
  static_cast<std::string*>(body)->append(data, size);
  return size;
}

}  // namespace

int main() {
  std::vector<std::string> urls;
  for (std::string url; std::getline(std::cin, url);) urls.push_back(url);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  std::string body;
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  std::size_t bytes = 0;
  const double begin = cpu_seconds();
  for (const std::string& url : urls) {
    body.clear();
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    const CURLcode result = curl_easy_perform(curl.get());
    if (result != CURLE_OK) {
      std::fprintf(stderr, "%s: %s\n", url.c_str(), curl_easy_strerror(result));
      return 1;
    }
    bytes += body.size();
  }
  std::printf("%zu\t%.6f\t%zu\n", urls.size(), cpu_seconds() - begin, bytes);
}
