#include "plugin/cli/pull_tables.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "plugin/base/text.h"
#include "plugin/cli/format.h"
#include "plugin/cli/json.h"
#include "plugin/cli/progress_model.h"
#include "plugin/cli/table.h"

namespace paceline::cli {
namespace {

using Align = Table::Align;

std::string coloured_state(v1::PullState state, const Style& style) {
  switch (state) {
    case v1::PULL_STATE_DONE:
      return style.good(word(state));
    case v1::PULL_STATE_FAILED:
    case v1::PULL_STATE_CANCELLED:
      return style.bad(word(state));
    case v1::PULL_STATE_QUEUED:
      return style.dim(word(state));
    default:
      return style.busy(word(state));
  }
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return std::to_string(static_cast<int>(100.0 * static_cast<double>(part) / static_cast<double>(whole))) + "%";
}

std::string milliseconds(double ms) {
  if (!(ms > 0)) return "-";
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), ms < 10 ? "%.1f ms" : "%.0f ms", std::min(ms, 1e9));
  return buffer.data();
}

std::string blob_state(const v1::BlobProgress& blob, bool over) {
  if (blob.done()) return blob.present() ? "already here" : "done";
  if (over) return blob.received_bytes() > 0 ? "partial" : "absent";
  return blob.streams() > 0 || blob.received_bytes() > 0 ? "fetching" : "waiting";
}

std::string path_state(const v1::Path& path) {
  std::string state = printable(path.mode());
  if (!path.reason().empty()) state += (state.empty() ? "" : ": ") + printable(path.reason());
  if (path.policy() != "adaptive") state += ", " + printable(path.policy());
  if (!path.ranges()) state += ", no ranges";
  if (path.retries() > 0) state += ", retries: " + std::to_string(path.retries());
  if (path.throttled() > 0) state += ", throttled: " + std::to_string(path.throttled());
  if (path.silent_ms() > 0) state += ", silent for " + format_seconds(path.silent_ms() / 1e3);
  return state;
}

}  // namespace

std::string pulls_table(const std::vector<v1::Pull>& pulls, std::int64_t now_unix_ms, const Style& style) {
  Table table({{"PULL"},
               {"IMAGE"},
               {"STATE"},
               {"SOURCE"},
               {"DONE", Align::kRight},
               {"SIZE", Align::kRight},
               {"RATE", Align::kRight},
               {"STREAMS", Align::kRight},
               {"STARTED", Align::kRight}});
  for (const auto& pull : pulls) {
    const bool over = is_over(pull);
    table.row({pull.pull_id(), printable(pull.image()), coloured_state(pull.state(), style),
               std::string(word(pull.source())), percent(pull.received_bytes(), pull.total_bytes()),
               pull.blob_count() == 0 ? "-" : format_bytes(pull.total_bytes()),
               over ? "-" : format_rate(pull.bytes_per_second()), over ? "-" : std::to_string(pull.streams()),
               format_age(pull.started_unix_ms(), now_unix_ms) + " ago"});
  }
  return table.text();
}

std::string pull_details(const v1::Pull& pull, const Style& style) {
  std::string out;
  const auto add = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) out += pad_right(std::string(name), 12) + value + "\n";
  };
  add("pull", pull.pull_id());
  add("image", printable(pull.image()));
  add("digest", pull.manifest_digest());
  add("platform", printable(pull.platform()));
  add("state", coloured_state(pull.state(), style) + (is_over(pull) || !pull.foreground() ? "" : ", foreground"));
  if (pull.has_error()) add("error", printable(pull.error().message()));
  add("source", std::string(word(pull.source())));
  add("elapsed", format_duration(std::chrono::milliseconds(pull.elapsed_ms())) + ", of it " +
                     format_duration(std::chrono::milliseconds(pull.resolve_ms())) + " for the manifest");
  add("received", format_part(pull.received_bytes(), pull.total_bytes()) + " (" + format_bytes(pull.fetched_bytes()) +
                      " fetched, " + format_bytes(pull.resumed_bytes()) + " resumed)");
  if (!is_over(pull)) add("rate", format_rate(pull.bytes_per_second()) + " on " + count(pull.streams(), "stream"));
  add("retries", std::to_string(pull.retries()));
  add("policy", printable(pull.policy()));
  if (pull.blobs_size() == 0) return out;

  Table table({{"BLOB"},
               {"STATE"},
               {"DONE", Align::kRight},
               {"SIZE", Align::kRight},
               {"STREAMS", Align::kRight},
               {"MEDIA TYPE"}});
  for (const auto& blob : pull.blobs()) {
    table.row({blob.digest(), blob_state(blob, is_over(pull)), percent(blob.received_bytes(), blob.size_bytes()),
               format_bytes(blob.size_bytes()), std::to_string(blob.streams()), printable(blob.media_type())});
  }
  return out + "\n" + table.text();
}

std::string paths_table(const std::vector<v1::Path>& paths) {
  Table table({{"HOST"},
               {"STREAMS", Align::kRight},
               {"MOST", Align::kRight},
               {"RATE", Align::kRight},
               {"BEST", Align::kRight},
               {"RTT", Align::kRight},
               {"FIRST BYTE", Align::kRight},
               {"FETCHED", Align::kRight},
               {"STATE"}});
  for (const auto& path : paths) {
    table.row({printable(path.host()),
               std::to_string(path.active_streams()) + "/" + std::to_string(path.stream_limit()),
               std::to_string(path.stream_ceiling()), format_rate(path.bytes_per_second()),
               format_rate(path.best_bytes_per_second()), milliseconds(path.rtt_ms()),
               milliseconds(path.first_byte_ms()), format_bytes(path.fetched_bytes()), path_state(path)});
  }
  return table.text();
}

}  // namespace paceline::cli
