#include "plugin/metrics/scrape.h"

#include <iterator>

#include "plugin/metrics/process_usage.h"
#include "plugin/metrics/samples.h"

namespace paceline::metrics {
namespace {

// A node's images come from a handful of registries, each with a blob host or two behind it.
constexpr std::size_t kNamedHosts = 32;

}  // namespace

Scrape::Scrape(const store::Store& store, const pull::PullManager& pulls, const PullDurations& durations,
               std::string version)
    : store_(store), pulls_(pulls), durations_(durations), version_(std::move(version)), labels_(kNamedHosts) {}

std::string Scrape::text() {
  Families all = build_families(version_);
  const auto append = [&all](Families families) {
    all.insert(all.end(), std::make_move_iterator(families.begin()), std::make_move_iterator(families.end()));
  };
  append(process_families(read_process_usage()));
  append(store_families(store_.usage()));
  append(pull_families(pulls_.pulls()));
  append(duration_families(durations_.series()));
  const auto paths = pulls_.paths();
  {
    const std::lock_guard lock(mutex_);
    append(path_families(paths, labels_));
  }
  return to_text(all);
}

}  // namespace paceline::metrics
