#include "adaptive/path_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace paceline::adaptive {
namespace {

using std::chrono::milliseconds;

Path path(double mbps, int rtt_ms) {
  Path p;
  p.link_rate = mbps * 1e6 / 8;
  p.rtt_registry = p.rtt_token = p.rtt_blob = milliseconds(rtt_ms);
  return p;
}

TEST(PathModel, WireFloorOfTheMeasuredLink) {
  // controller.md: 10 × 1 MB at 10 Mbps, wire 8.50 s.
  EXPECT_NEAR(seconds(wire_floor(path(10, 20), 10'000'000)), 8.497, 0.01);
}

TEST(PathModel, SetupCountsRoundTrips) {
  Path p = path(10, 100);
  p.dns = milliseconds(10);
  // DNS + TCP/TLS 2 + first request 1 + token 3 + index and manifest 2 + blob connection 3 = 11 RTT
  EXPECT_NEAR(seconds(setup_time(p)), 1.11, 1e-9);
  p.redirect = true;
  p.first_byte = milliseconds(30);
  p.think_registry = milliseconds(5);
  EXPECT_NEAR(seconds(setup_time(p)), 1.11 + 0.1 + 0.03 + 4 * 0.005, 1e-9);
}

TEST(PathModel, WarmPartsCostNothing) {
  Path p = path(10, 100);
  p.warm = {.dns = true, .registry_connection = true, .token = true, .manifests = true, .blob_connections = true};
  EXPECT_NEAR(seconds(setup_time(p)), 0.1, 1e-9);
}

TEST(PathModel, DataTimeIsNeverBelowTheFloorAndFallsWithStreams) {
  for (double mbps : {10.0, 200.0, 1000.0}) {
    for (int rtt : {2, 35, 150}) {
      for (std::uint64_t bytes : {100'000ULL, 10'000'000ULL, 500'000'000ULL}) {
        Duration last = std::chrono::hours(1);
        for (unsigned n = 1; n <= 64; n *= 2) {
          const Duration t = data_time(path(mbps, rtt), bytes, n);
          if (bytes > 1'000'000) {
            EXPECT_GE(t, wire_floor(path(mbps, rtt), bytes));
          }
          EXPECT_LE(t, last + milliseconds(rtt)) << mbps << " " << rtt << " " << bytes << " " << n;
          last = t;
        }
      }
    }
  }
}

TEST(PathModel, ConnectionCapBinds) {
  Path p = path(1000, 20);
  p.connection_cap = 625'000;  // 5 Mbps
  EXPECT_NEAR(seconds(data_time(p, 100'000'000, 1)), 160, 0.5);
  EXPECT_NEAR(seconds(data_time(p, 100'000'000, 16)), 10, 0.5);
}

TEST(PathModel, TinyBodiesTakeSlowStartRounds) {
  EXPECT_NEAR(seconds(data_time(path(1000, 100), 14'000, 1)), 0.1, 1e-9);
  EXPECT_NEAR(seconds(data_time(path(1000, 100), 40'000, 1)), 0.2, 1e-9);
  EXPECT_EQ(data_time(path(1000, 100), 0, 1), Duration{0});
}

TEST(PathModel, LossLimitsOneStreamButNotMany) {
  Path p = path(200, 35);
  p.loss = 0.001;
  // Measured on a kernel with cubic: one stream 70 s, the wire limit 4.3 s.
  const double one = seconds(predicted_time(p, 100'000'000, 1));
  const double sixteen = seconds(predicted_time(p, 100'000'000, 16));
  EXPECT_GT(one, 40);
  EXPECT_LT(sixteen, 6);
  EXPECT_GE(sixteen, seconds(lower_bound(p, 100'000'000, 16)));
}

TEST(PathModel, MathisAndAltman) {
  EXPECT_NEAR(loss_limited_rate(milliseconds(100), 0.01), 14480 * std::sqrt(150), 1);
  EXPECT_TRUE(std::isinf(loss_limited_rate(milliseconds(100), 0)));
  EXPECT_NEAR(shallow_buffer_utilisation(3), 0.90, 1e-9);
  EXPECT_NEAR(shallow_buffer_utilisation(6), 0.947, 1e-3);
}

TEST(PathModel, UnknownsAreNoLimits) {
  EXPECT_EQ(wire_floor(Path{}, 1'000'000), Duration{0});
  EXPECT_EQ(lower_bound(Path{}, 1'000'000, 4), Duration{0});
}

}  // namespace
}  // namespace paceline::adaptive
