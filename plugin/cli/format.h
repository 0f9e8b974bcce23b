// Numbers and names as people read them on a terminal. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace paceline::cli {

/// Removes what could steer a terminal: control characters, as they may come in a registry's error text.
[[nodiscard]] std::string printable(std::string_view text);

/// "22.1 MB/s"; "-" for nothing.
[[nodiscard]] std::string format_rate(double bytes_per_second);
/// "41.2/117.8 MB" in the unit of the whole.
[[nodiscard]] std::string format_part(std::uint64_t part, std::uint64_t whole);
/// "8s", "3m12s", "2h05m", "3d04h".
[[nodiscard]] std::string format_seconds(double seconds);
/// How long ago, or "-" when `then` is 0.
[[nodiscard]] std::string format_age(std::int64_t then_unix_ms, std::int64_t now_unix_ms);
/// The first 12 hex digits.
[[nodiscard]] std::string short_digest(std::string_view digest);
/// "1 blob", "2 blobs".
[[nodiscard]] std::string count(std::uint64_t number, std::string_view noun);

/// Characters a terminal shows: UTF-8 continuation bytes and colours do not count.
[[nodiscard]] std::size_t display_width(std::string_view text);
[[nodiscard]] std::string pad_right(std::string text, std::size_t width);
[[nodiscard]] std::string pad_left(std::string text, std::size_t width);
/// Cuts the front, where an image's name says least: "…/team/app:1.2". The text must be printable ASCII.
[[nodiscard]] std::string fit(std::string text, std::size_t width);
/// Cuts the end; colours are kept and closed.
[[nodiscard]] std::string clip(std::string_view text, std::size_t width);

}  // namespace paceline::cli
