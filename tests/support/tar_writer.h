// Writes tar archives for tests, sane ones and others: what a header says is the test's to choose. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace paceline::test {

struct TarItem {
  std::string name;
  char type = '0';
  std::string content{};
  std::string link{};
  std::int64_t mode = 0644;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::int64_t mtime = 1'600'000'000;
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::int64_t size = -1;  ///< What the header says; -1: the content's.
  std::vector<std::pair<std::string, std::string>> pax{};
};

class TarWriter {
 public:
  /// Any entry; one with `pax` gets an extended header before it.
  TarWriter& add(const TarItem& item);
  TarWriter& file(std::string_view name, std::string_view content, std::int64_t mode = 0644);
  TarWriter& folder(std::string_view name, std::int64_t mode = 0755);
  TarWriter& symlink(std::string_view name, std::string_view target);
  TarWriter& hard_link(std::string_view name, std::string_view target);
  /// Bytes as they are.
  TarWriter& raw(std::string_view bytes);
  /// The archive with its two blocks of zeros.
  [[nodiscard]] std::string finish() const { return archive_ + std::string(1024, '\0'); }
  /// The archive without them.
  [[nodiscard]] const std::string& entries() const { return archive_; }

 private:
  std::string archive_;
};

/// One 512-byte header as TarWriter writes it, ustar, its checksum right.
std::string tar_header(const TarItem& item);
/// Computes a header's checksum anew, after a test has changed it.
void fix_checksum(std::string& header);
/// "<length> <key>=<value>\n"
std::string pax_record(std::string_view key, std::string_view value);
/// Filled up with NULs to whole blocks.
std::string padded(std::string_view content);

/// One gzip member; one zstd frame.
std::string gzip(std::string_view data);
std::string zstd(std::string_view data);

}  // namespace paceline::test
