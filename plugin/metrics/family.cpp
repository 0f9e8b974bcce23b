#include "plugin/metrics/family.h"

#include <prometheus/text_serializer.h>

#include <utility>

namespace paceline::metrics {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily make_family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add_sample(MetricFamily& family, MetricLabels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  family.metric.push_back(std::move(metric));
}

void add_histogram(MetricFamily& family, MetricLabels labels, const Histogram& histogram) {
  ClientMetric metric;
  metric.label = std::move(labels);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    count += histogram.counts().at(i);
    metric.histogram.bucket.push_back({.cumulative_count = count, .upper_bound = histogram.bounds()[i]});
  }
  metric.histogram.sample_count = count + histogram.counts().back();
  metric.histogram.sample_sum = histogram.sum();
  family.metric.push_back(std::move(metric));
}

MetricFamily single_sample(std::string name, std::string help, MetricType type, double value) {
  auto made = make_family(std::move(name), std::move(help), type);
  add_sample(made, {}, value);
  return made;
}

MetricFamily single_histogram(std::string name, std::string help, const Histogram& histogram) {
  auto made = make_family(std::move(name), std::move(help), MetricType::Histogram);
  add_histogram(made, {}, histogram);
  return made;
}

std::string to_text(const Families& families) { return prometheus::TextSerializer().Serialize(families); }

}  // namespace paceline::metrics
