#include "plugin/cli/comparison.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "adaptive/robust_fit.h"

namespace paceline::cli {
namespace {

using Loads = std::vector<adaptive::PullLayer>;
using Figure = std::uint64_t adaptive::PullLayer::*;

std::uint64_t sum_of(const Loads& loads, Figure figure) {
  std::uint64_t sum = 0;
  for (const auto& load : loads) sum += load.*figure;
  return sum;
}

/// All of `loads`' layers larger or smaller by the same factor, so that they add up to what `like` has.
void scale(Loads& loads, const Loads& like, Figure figure) {
  const auto have = static_cast<double>(sum_of(loads, figure));
  const auto want = static_cast<double>(sum_of(like, figure));
  for (auto& load : loads) {
    const double part = have > 0 ? static_cast<double>(load.*figure) / have : 1.0 / static_cast<double>(loads.size());
    load.*figure = static_cast<std::uint64_t>(std::llround(part * want));
  }
}

}  // namespace

Comparison compare_images(const analyze::Analysis& a, const analyze::Analysis& b, const analyze::Target& target) {
  Comparison out;
  const auto predict = [&](const Loads& loads) {
    return adaptive::predict_pull(loads, target.path, target.costs, target.options);
  };
  const Loads from = a.loads(), to = b.loads();
  out.a = predict(from);
  out.b = predict(to);

  std::set<Digest> of_a;
  for (const auto& layer : a.layers) of_a.insert(layer.layer.digest);
  Loads missing;
  for (const auto& layer : b.layers) {
    if (!of_a.contains(layer.layer.digest)) {
      missing.push_back(layer.load());
      continue;
    }
    ++out.shared_blobs;
    out.shared_bytes += layer.compressed_bytes;
  }
  out.b_after_a = predict(missing);

  Loads step = from;
  double before = out.a.total();
  const auto add = [&](const char* name, double after) {
    out.factors.push_back({name, after - before});
    before = after;
  };
  if (!step.empty()) {
    scale(step, to, &adaptive::PullLayer::compressed_bytes);
    add("compressed bytes", predict(step).total());
    scale(step, to, &adaptive::PullLayer::uncompressed_bytes);
    add("uncompressed bytes", predict(step).total());
    scale(step, to, &adaptive::PullLayer::files);
    add("files", predict(step).total());
  }
  add("layers", out.b.total());
  std::stable_sort(out.factors.begin(), out.factors.end(),
                   [](const Factor& x, const Factor& y) { return std::abs(x.seconds) > std::abs(y.seconds); });
  return out;
}

MeasuredPulls::Phases MeasuredPulls::median() const {
  const auto of = [&](double Phases::*phase) {
    std::vector<double> values;
    for (const auto& pull : pulls) values.push_back(pull.*phase);
    return adaptive::quantile(std::move(values), 0.5);
  };
  return {of(&Phases::setup), of(&Phases::fetch), of(&Phases::verify), of(&Phases::unpack), of(&Phases::total)};
}

}  // namespace paceline::cli
