// Joins what is told of one cold start at different times: a pull's end, the unpacking of its layers, the first
// container of its image. Remembers the last pulls for a while. No I/O; one thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "plugin/records/sink.h"

namespace paceline::records {

class OpenRecords {
 public:
  /// The record with what is known of its layers already.
  const ColdStart& pull_ended(EndedPull pull);
  /// The record that this changed; null: none, or none yet.
  const ColdStart* layer_unpacked(const UnpackedLayer& layer);
  void container_created(const std::string& containerd_namespace, const std::string& id, const std::string& image,
                         WallTime when);
  /// The record that this completed; null: the container is not the first of a pull.
  const ColdStart* task_started(const std::string& containerd_namespace, const std::string& id, WallTime when);

 private:
  using Entry = std::shared_ptr<EndedPull>;
  [[nodiscard]] Entry awaits_container(const std::string& image, WallTime created) const;
  static void complete(EndedPull& pull, double started_ms);

  std::deque<Entry> pulls_;  // Newest last.
  std::deque<UnpackedLayer> unpacked_;
  std::map<std::pair<std::string, std::string>, Entry> containers_;  // Created, not yet started.
};

}  // namespace paceline::records
