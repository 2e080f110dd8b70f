// Test images: generated files of every format, and the corpus.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "support/images/jpeg_files.hpp"
#include "support/images/other_files.hpp"
#include "support/images/pictures.hpp"

namespace imgpress::press::fixtures {

inline Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// The files in a folder of the corpus, sorted by name; empty without a corpus.
inline std::vector<std::filesystem::path> corpus_files(const char* folder) {
  const char* root = std::getenv("IMGPRESS_CORPUS");
  std::vector<std::filesystem::path> files;
  if (root == nullptr || !std::filesystem::is_directory(std::filesystem::path(root) / folder)) {
    return files;
  }
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(root) / folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace imgpress::press::fixtures
