#include "plugin/cli/blob_tables.h"

#include "plugin/base/text.h"
#include "plugin/cli/format.h"
#include "plugin/cli/json.h"
#include "plugin/cli/table.h"

namespace paceline::cli {

using Align = Table::Align;

std::string blobs_table(const std::vector<v1::Blob>& blobs, std::int64_t now_unix_ms) {
  Table table({{"DIGEST"},
               {"SIZE", Align::kRight},
               {"STATE"},
               {"PINNED"},
               {"CREATED", Align::kRight},
               {"LAST USED", Align::kRight}});
  const auto ago = [now_unix_ms](std::int64_t then) {
    return then <= 0 ? std::string("-") : format_age(then, now_unix_ms) + " ago";
  };
  for (const auto& blob : blobs) {
    table.row({blob.digest(), format_bytes(blob.size_bytes()), std::string(word(blob.visibility())),
               blob.pinned() ? "yes" : "no", ago(blob.created_unix_ms()), ago(blob.last_used_unix_ms())});
  }
  return table.text();
}

std::string pins_table(const std::vector<v1::Pinned>& pins) {
  Table table({{"IMAGE"}, {"BLOBS", Align::kRight}, {"SIZE", Align::kRight}});
  for (const auto& pin : pins) {
    table.row({printable(pin.image()), std::to_string(pin.digests_size()), format_bytes(pin.size_bytes())});
  }
  return table.text();
}

std::string eviction_text(const v1::EvictResponse& response) {
  std::string out =
      "evicted " + count(response.evicted_blobs(), "blob") + ", " + format_bytes(response.evicted_bytes());
  if (response.evicted_layers() > 0) {
    out += ", and " + count(response.evicted_layers(), "unpacked layer") + ", " +
           format_bytes(response.evicted_layer_bytes());
  }
  if (response.kept_blobs() > 0) {
    out += "; kept " + count(response.kept_blobs(), "blob") + (response.kept_blobs() == 1 ? " that is" : " that are") +
           " listed or pinned";
  }
  return out;
}

}  // namespace paceline::cli
