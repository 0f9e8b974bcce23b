#include "plugin/cli/status_text.h"

#include "plugin/base/text.h"
#include "plugin/cli/format.h"
#include "plugin/cli/progress_model.h"
#include "plugin/cli/pull_tables.h"

namespace paceline::cli {
namespace {

std::string store_text(const v1::Usage& usage) {
  std::string out;
  out += "store   listed " + count(usage.listed_blobs(), "blob") + ", " + format_bytes(usage.listed_bytes()) +
         "; hidden " + count(usage.hidden_blobs(), "blob") + ", " + format_bytes(usage.hidden_bytes()) + "; pinned " +
         format_bytes(usage.pinned_bytes()) + "; partial " + format_bytes(usage.partial_bytes()) + "\n";
  if (usage.unpacked_layers() > 0) {
    out += "        unpacked ahead " + count(usage.unpacked_layers(), "layer") + ", " +
           format_bytes(usage.unpacked_bytes()) + "\n";
  }
  const std::uint64_t used =
      usage.listed_bytes() + usage.hidden_bytes() + usage.partial_bytes() + usage.unpacked_bytes();
  out += "        quota " + (usage.quota_bytes() == 0 ? std::string("none") : format_part(used, usage.quota_bytes())) +
         "; disk " + format_bytes(usage.free_bytes()) + " free, " + format_bytes(usage.free_floor_bytes()) +
         " of it always kept; " + count(usage.evictions(), "eviction") + "\n";
  return out;
}

}  // namespace

std::string status_text(const DaemonStatus& status, std::int64_t now_unix_ms, const Style& style) {
  const auto& version = status.version;
  std::string out = style.bold("daemon  pacelined " + printable(version.version())) + ", up " +
                    format_seconds(static_cast<double>(version.uptime_ms()) / 1e3) + ", process " +
                    std::to_string(version.process_id()) + ", " + status.address + "\n" + store_text(status.usage);

  ProgressModel model;
  for (const auto& pull : status.pulls) model.update(pull, TimePoint());
  const Totals totals = model.totals();
  out += "pulls   " + std::to_string(totals.running) + " under way, " + std::to_string(totals.queued) + " queued, " +
         count(totals.streams, "stream") + ", " + format_rate(totals.bytes_per_second) + "\n";
  if (!status.pulls.empty()) out += "\n" + pulls_table(status.pulls, now_unix_ms, style);
  if (!status.paths.empty()) out += "\n" + paths_table(status.paths);
  return out;
}

}  // namespace paceline::cli
