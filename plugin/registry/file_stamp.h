// What a file looks like from outside: changes whenever the file does. Any thread.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>

namespace paceline::registry {

/// Inode, size and times; "-" when there is none. The change time catches what keeps size and mtime.
inline std::string file_stamp(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "-";
  const auto time = [](const timespec& at) { return std::to_string(at.tv_sec) + "." + std::to_string(at.tv_nsec); };
  return std::to_string(info.st_ino) + ":" + std::to_string(info.st_size) + ":" + time(info.st_mtim) + ":" +
         time(info.st_ctim);
}

}  // namespace paceline::registry
