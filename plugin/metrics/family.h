// Makes Prometheus families out of values. Pure functions, any thread.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "plugin/metrics/histogram.h"

namespace paceline::metrics {

using Families = std::vector<prometheus::MetricFamily>;
using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

prometheus::MetricFamily make_family(std::string name, std::string help, prometheus::MetricType type);
/// A sample of a counter or a gauge.
void add_sample(prometheus::MetricFamily& family, MetricLabels labels, double value);
void add_histogram(prometheus::MetricFamily& family, MetricLabels labels, const Histogram& histogram);
/// One without labels.
prometheus::MetricFamily single_sample(std::string name, std::string help, prometheus::MetricType type, double value);
prometheus::MetricFamily single_histogram(std::string name, std::string help, const Histogram& histogram);
/// Prometheus' text exposition format, version 0.0.4.
std::string to_text(const Families& families);

}  // namespace paceline::metrics
