// Measures the codec alone, in one process and in memory: CPU time and output size for a folder.
//
//   imgpress-bench-codec [--effort NAME] [--quality N] [--rounds N] SOURCES [OUTPUTS]
//   imgpress-bench-codec [--effort NAME] [--quality N]       lines "SOURCES<TAB>OUTPUTS" on stdin
//
// Compresses every file of SOURCES and prints "IMAGES<TAB>CPU_SECONDS<TAB>OUTPUT_BYTES", one line a
// round. Then writes the outputs to OUTPUTS under the names of the sources. The CPU time does not
// include reading and writing files.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cpu_clock.hpp"
#include "press/codec/codec.hpp"
#include "press/codec/codec_role.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;
using imgpress::press::CodecOptions;

struct File {
  std::string name;
  Bytes source;
  Bytes output;
};

struct Arguments {
  CodecOptions codec;
  int rounds = 1;
  std::vector<std::string> folders;
};

std::vector<File> read_folder(const std::string& folder) {
  std::vector<File> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    files.push_back(
        {entry.path().filename().string(), Bytes(std::istreambuf_iterator<char>(file), {}), {}});
  }
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.name < b.name; });
  return files;
}

void measure(std::vector<File>& files, const CodecOptions& options) {
  std::size_t bytes = 0;
  const double begin = cpu_seconds();
  for (File& file : files) {
    file.output =
        imgpress::press::compress({file.source.data(), file.source.size()}, options).bytes;
    bytes += file.output.size();
  }
  std::printf("%zu\t%.6f\t%zu\n", files.size(), cpu_seconds() - begin, bytes);
  std::fflush(stdout);
}

void run(const std::string& sources, const std::string& outputs, const Arguments& arguments) {
  std::vector<File> files = read_folder(sources);
  for (int round = 0; round < arguments.rounds; ++round) {
    // Freed here, so that freeing the previous outputs is not measured.
    for (File& file : files) Bytes().swap(file.output);
    measure(files, arguments.codec);
  }
  if (outputs.empty()) return;
  for (const File& file : files) {
    std::ofstream(std::filesystem::path(outputs) / file.name, std::ios::binary)
        .write(reinterpret_cast<const char*>(file.output.data()),
               static_cast<std::streamsize>(file.output.size()));
  }
}

Arguments parse(int count, char** words) {
  Arguments arguments;
  arguments.codec.max_pixels = 1'000'000'000;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word.substr(0, 2) != "--") {
      arguments.folders.emplace_back(word);
      continue;
    }
    if (++i == count) throw std::invalid_argument(std::string(word) + " needs a value");
    if (word == "--effort") {
      imgpress::set_option(arguments.codec, "effort", words[i]);
    } else if (word == "--quality") {
      imgpress::set_option(arguments.codec, "quality", words[i]);
    } else if (word == "--rounds") {
      arguments.rounds = std::atoi(words[i]);
    } else {
      throw std::invalid_argument("unknown option " + std::string(word));
    }
  }
  if (arguments.folders.size() > 2) throw std::invalid_argument("more than two folders");
  return arguments;
}

void run_lines(const Arguments& arguments) {
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) throw std::invalid_argument("a line is SOURCES<TAB>OUTPUTS");
    run(line.substr(0, tab), line.substr(tab + 1), arguments);
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    const Arguments arguments = parse(count, words);
    imgpress::press::keep_memory_between_images();
    if (arguments.folders.empty()) {
      run_lines(arguments);
    } else {
      run(arguments.folders.front(), arguments.folders.size() > 1 ? arguments.folders[1] : "",
          arguments);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imgpress-bench-codec: %s\n", error.what());
    return 1;
  }
}
