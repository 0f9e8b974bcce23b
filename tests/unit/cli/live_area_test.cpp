#include "plugin/cli/live_area.h"

#include <gtest/gtest.h>

namespace paceline::cli {
namespace {

TEST(LiveArea, TheFirstFrameStaysWhereItIs) {
  EXPECT_EQ(LiveArea::repaint({}, {"one", "two"}, {}, 80), "\rone\x1b[K\r\ntwo\x1b[K\r\n\x1b[J");
}

TEST(LiveArea, TheNextGoesUpAndClearsWhatIsLeftOver) {
  EXPECT_EQ(LiveArea::repaint({"one", "two"}, {"three"}, {}, 80), "\x1b[2A\rthree\x1b[K\r\n\x1b[J");
}

TEST(LiveArea, ALineThatStaysPushesTheAreaDown) {
  EXPECT_EQ(LiveArea::repaint({"bar"}, {"bar"}, "done", 80), "\x1b[1A\rdone\x1b[K\r\nbar\x1b[K\r\n\x1b[J");
}

TEST(LiveArea, LinesThatANarrowerWindowWrappedCountTwice) {
  EXPECT_EQ(LiveArea::repaint({std::string(60, 'x'), "y"}, {}, {}, 40), "\x1b[3A\r\x1b[J");
}

}  // namespace
}  // namespace paceline::cli
