// Small whole-file helpers. Paths are plain std::filesystem paths; errors name the path. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "plugin/base/fd.h"
#include "plugin/base/result.h"

namespace paceline {

/// Reads a whole file; kResourceExhausted when it is larger than `limit` bytes.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit = 16U << 20U);

/// Whether a replaced file must survive a power loss (fsync of file and folder) or only a crash of the process.
enum class Durability { kProcessCrash, kPowerLoss };

/// Replaces `path` in one step (temporary file beside it, then rename): a reader sees the old or the new, never a part.
Status write_file_atomically(const std::filesystem::path& path, std::string_view content, Durability durability,
                             unsigned mode = 0600);

/// open(2) with O_CLOEXEC.
Result<UniqueFd> open_file(const std::filesystem::path& path, int flags, unsigned mode = 0644);

/// fsync of a folder: makes a rename in it durable.
Status sync_directory(const std::filesystem::path& path);

/// mkdir -p; existing folders are fine.
Status make_directories(const std::filesystem::path& path);

/// pwrite / pread until all is done; a short read at end of file returns fewer bytes.
Status write_at(int fd, std::span<const std::byte> data, std::uint64_t offset);
Result<std::size_t> read_at(int fd, std::span<std::byte> buffer, std::uint64_t offset);

}  // namespace paceline
