#include "plugin/analyze/advice.h"

#include <gtest/gtest.h>

#include "tests/unit/analyze/test_image.h"

namespace paceline::analyze {
namespace {

using test::analyze_tars;
using test::noise;
using test::TarWriter;

Target slow_path() {
  Target target;
  target.path.link_rate = 1e6 / 8;
  target.path.rtt_registry = target.path.rtt_blob = std::chrono::milliseconds(20);
  return target;
}

const Advice* find(const AdviceList& list, const std::string& id) {
  for (const auto& advice : list.points) {
    if (advice.id == id) return &advice;
  }
  return nullptr;
}

TEST(Advice, IsRankedByWhatItSaves) {
  const auto list = advise(analyze_tars({TarWriter()
                                             .file("var/lib/apt/lists/x", noise(300'000, 1))
                                             .file("usr/share/man/man1/y", noise(100'000, 2))
                                             .file("app", noise(500'000, 3))
                                             .finish()}),
                           slow_path());
  ASSERT_EQ(list.points.size(), 2U);
  EXPECT_EQ(list.points[0].id, "apt-lists");
  EXPECT_EQ(list.points[1].id, "docs");
  EXPECT_GT(list.points[0].seconds, 2 * list.points[1].seconds);
  EXPECT_LT(list.without_waste.total(), list.now.total());
  // The bytes are what counts on such a path of 117 kB/s.
  const double bytes = static_cast<double>(list.points[0].gain.compressed);
  EXPECT_NEAR(list.points[0].seconds, bytes / 117e3, 0.1 * bytes / 117e3);
}

TEST(Advice, EveryPointSaysWhyAndHow) {
  const auto list = advise(analyze_tars({TarWriter()
                                             .file("var/lib/apt/lists/x", noise(30'000, 1))
                                             .file("var/cache/apt/y", noise(30'000, 2))
                                             .file("usr/include/a.h", noise(30'000, 3))
                                             .file("usr/lib/liba.a", noise(30'000, 4))
                                             .file("usr/share/locale/de/LC_MESSAGES/a.mo", noise(30'000, 5))
                                             .file("a", noise(30'000, 6))
                                             .file("b", noise(30'000, 6))
                                             .finish(),
                                         TarWriter().file("a", "new").finish()}),
                           slow_path());
  EXPECT_GE(list.points.size(), 6U);
  for (const auto& point : list.points) {
    EXPECT_FALSE(point.title.empty());
    EXPECT_FALSE(point.why.empty()) << point.id;
    EXPECT_FALSE(point.how.empty()) << point.id;
    EXPECT_GT(point.seconds, 0) << point.id;
  }
}

TEST(Advice, NothingIsAdvisedWhereNothingIsWasted) {
  const auto list = advise(analyze_tars({TarWriter().file("app", noise(50'000, 1)).finish()}), slow_path());
  EXPECT_TRUE(list.points.empty());
  EXPECT_EQ(list.now.total(), list.without_waste.total());
}

TEST(Advice, PathsAreThoseOfTheClass) {
  const auto analysis = analyze_tars({TarWriter().file("var/lib/apt/lists/x", "1").file("app", "2").finish(),
                                      TarWriter().file("var/lib/apt/lists/y", "1").finish()});
  EXPECT_EQ(paths_of(analysis, FileClass::kAptLists),
            (std::vector<std::vector<std::string>>{{"var/lib/apt/lists/x"}, {"var/lib/apt/lists/y"}}));
}

TEST(Advice, HolesAreNotInTheTar) {
  const test::TarItem log{.name = "log",
                          .content = noise(512, 1),
                          .pax = {{"GNU.sparse.major", "0"},
                                  {"GNU.sparse.minor", "1"},
                                  {"GNU.sparse.size", "1000000000"},
                                  {"GNU.sparse.numblocks", "1"},
                                  {"GNU.sparse.map", "0,512"}}};
  const auto analysis =
      analyze_tars({TarWriter().add(log).file("app", noise(50'000, 2)).finish(), TarWriter().file("log", "").finish()});
  ASSERT_EQ(analysis.sum(FileClass::kHidden).bytes, 1'000'000'000U);  // As tar tv prints it.
  const auto loads = loads_without(analysis, {FileClass::kHidden});
  EXPECT_EQ(loads[0].uncompressed_bytes, analysis.layers[0].uncompressed_bytes - 512 - 768);
}

TEST(Advice, AHugeLayerIsToBeSplitWhereUnpackingIsWhatTakesLong) {
  TarWriter tar;
  for (int i = 0; i < 3000; ++i) tar.file("app/" + std::to_string(i), "x");
  Target fast;
  fast.path.rtt_registry = fast.path.rtt_blob = std::chrono::milliseconds(1);
  fast.costs.cores = 4;
  fast.costs.unpack_file = 1e-3;
  const auto list = advise(analyze_tars({tar.finish()}), fast);
  const Advice* split = find(list, "split-layer");
  ASSERT_NE(split, nullptr);
  EXPECT_GT(split->seconds, 1);
  EXPECT_EQ(find(advise(analyze_tars({TarWriter().file("model", noise(500'000, 1)).finish()}), fast), "split-layer"),
            nullptr);
}

TEST(Advice, TheLayerWithTheMostToUnpackIsToComeEarly) {
  TarWriter many;
  for (int i = 0; i < 3000; ++i) many.file("app/" + std::to_string(i), "x");
  Target target = slow_path();
  target.costs.unpack_file = 1e-3;
  const std::vector<std::string> tars = {TarWriter().file("base", noise(50'000, 1)).finish(),
                                         TarWriter().file("model", noise(1'500'000, 2)).finish(), many.finish()};
  const auto list = advise(analyze_tars(tars), target);
  const Advice* order = find(list, "order-layers");
  ASSERT_NE(order, nullptr);
  EXPECT_NE(order->title.find("layer 3"), std::string::npos);
  EXPECT_GT(order->seconds, 1);
  // Not where it changes what comes in between.
  for (const bool link : {false, true}) {
    TarWriter other = many;
    link ? other.hard_link("app/model", "model") : other.file("model", "other");
    EXPECT_EQ(find(advise(analyze_tars({tars[0], tars[1], other.finish()}), target), "order-layers"), nullptr) << link;
  }
}

TEST(Advice, ManyTinyLayersAreToBeMerged) {
  std::vector<std::string> tars;
  for (int i = 0; i < 30; ++i) tars.push_back(TarWriter().file("f" + std::to_string(i), "x").finish());
  Target target = slow_path();
  target.costs.unpack_layer = 0.02;
  const auto list = advise(analyze_tars(tars), target);
  const Advice* merge = find(list, "merge-layers");
  ASSERT_NE(merge, nullptr);
  EXPECT_NE(merge->title.find("30 layers"), std::string::npos);
}

}  // namespace
}  // namespace paceline::analyze
