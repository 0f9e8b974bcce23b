#include "plugin/metrics/host_labels.h"

#include <gtest/gtest.h>

namespace paceline::metrics {
namespace {

TEST(HostLabels, NamesTheFirstHostsAndPoolsTheRest) {
  HostLabels labels(2);
  EXPECT_EQ(labels.label("a:443"), "a:443");
  EXPECT_EQ(labels.label("b:443"), "b:443");
  EXPECT_EQ(labels.label("c:443"), "other");
  EXPECT_EQ(labels.label("d:443"), "other");
  EXPECT_EQ(labels.label("a:443"), "a:443");
}

}  // namespace
}  // namespace paceline::metrics
