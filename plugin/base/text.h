// Small text helpers: sizes and durations as people write them. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"

namespace paceline {

/// "512 B", "1.5 KB", "20.3 MB": decimal units, as network rates and Docker use them.
std::string format_bytes(std::uint64_t bytes);
/// "10GB", "512 MiB", "1048576": decimal (KB, MB, …) and binary (KiB, …) units, case-insensitive.
Result<std::uint64_t> parse_bytes(std::string_view text);
/// "250ms", "2.5s", "3m", "1h".
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
/// "35ms", "2.41s", "3m12s".
std::string format_duration(std::chrono::nanoseconds duration);

std::string to_lower(std::string_view text);
std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

/// RFC 3339 in UTC with nanoseconds, as containerd writes its ingest times.
std::string format_rfc3339(std::chrono::system_clock::time_point time);
Result<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text);

/// The candidate with the smallest edit distance to `word`, or empty when none is near (distance > 1/2 of the length).
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace paceline
