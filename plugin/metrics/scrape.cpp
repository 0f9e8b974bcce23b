#include "plugin/metrics/scrape.h"

#include <iterator>
#include <utility>

#include "plugin/metrics/process_usage.h"
#include "plugin/metrics/samples.h"

namespace paceline::metrics {
namespace {

// A node's images come from a handful of registries, each with a blob host or two behind it.
constexpr std::size_t kNamedHosts = 32;

}  // namespace

Scrape::Scrape(ScrapeSources sources) : sources_(std::move(sources)), labels_(kNamedHosts) {}

std::string Scrape::text() {
  Families all = build_families(sources_.version);
  const auto append = [&all](Families families) {
    all.insert(all.end(), std::make_move_iterator(families.begin()), std::make_move_iterator(families.end()));
  };
  append(process_families(read_process_usage()));
  append(store_families(sources_.store.usage()));
  append(pull_families(sources_.pulls.pulls()));
  append(ended_pull_families(sources_.ended.snapshot()));
  append(call_families(sources_.calls.series()));
  if (sources_.recorder != nullptr) {
    append(record_families(sources_.cold_starts.snapshot(), sources_.recorder->dropped()));
  }
  const auto paths = sources_.pulls.paths();
  const auto requests = sources_.network.requests();
  {
    const std::lock_guard lock(mutex_);
    append(path_families(paths, labels_));
    append(request_families(requests, labels_));
  }
  return to_text(all);
}

}  // namespace paceline::metrics
