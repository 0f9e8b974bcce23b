// A small file system of its own in memory, for the life of an object; absent where the test may not mount.
#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <utility>

namespace paceline::test {

class TemporaryMount {
 public:
  TemporaryMount(std::filesystem::path where, unsigned long flags, const char* options) : path_(std::move(where)) {
    std::filesystem::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", flags, options) == 0;
  }
  ~TemporaryMount() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  TemporaryMount(const TemporaryMount&) = delete;
  TemporaryMount& operator=(const TemporaryMount&) = delete;
  [[nodiscard]] explicit operator bool() const { return mounted_; }

 private:
  std::filesystem::path path_;
  bool mounted_ = false;
};

}  // namespace paceline::test
