// The pull-time model for a node: its coefficients, from a file, from the daemon's records, or the defaults; and what
// the records have shown of paths. One thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adaptive/pull_calibration.h"
#include "plugin/cli/json.h"
#include "plugin/cli/session.h"
#include "plugin/records/cold_start.h"

namespace paceline::cli {

struct NodeModel {
  adaptive::Calibration calibration;
  std::map<std::string, adaptive::Path> paths;    ///< By blob host, as known from records.
  std::map<std::string, std::string> registries;  ///< Whose blobs come from which of these hosts.
  std::string source;                             ///< "12 pulls of this node", "FILE", or why it is the defaults.

  /// Of the host that `registry`'s blobs come from; null: no record says.
  [[nodiscard]] const adaptive::Path* path_to(const std::string& registry) const;

  /// "fitted to 48 pulls of this node; on pulls left out its error was 4 % in the median, 11 % at the 90th percentile"
  [[nodiscard]] std::string describe() const;
};

/// `file`: what `paceline calibrate --output json` printed; empty: the daemon's records, or without a daemon the
/// defaults.
Outcome<NodeModel> load_model(Session& session, const std::string& file);

/// The newest records that the daemon keeps, in full.
Outcome<std::vector<records::ColdStart>> fetch_all_records(Client& client);
/// JSON lines, as records.jsonl has them; the last line of a pull counts.
Outcome<std::vector<records::ColdStart>> read_records(const std::string& file);

/// Fitted to these records; `source` as NodeModel's.
[[nodiscard]] NodeModel model_of(const std::vector<records::ColdStart>& records, std::string source);

[[nodiscard]] Json to_json(const NodeModel& model);
Result<NodeModel> model_from_json(const std::string& text);

/// What predictions say of themselves in JSON.
[[nodiscard]] Json error_json(const NodeModel& model);

}  // namespace paceline::cli
