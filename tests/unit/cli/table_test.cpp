#include "plugin/cli/table.h"

#include <gtest/gtest.h>

namespace paceline::cli {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({{"NAME"}, {"SIZE", Table::Align::kRight}, {"STATE"}});
  table.row({"a", "1.5 MB", "done"});
  table.row({"longer", "20 B", "\x1b[31mfailed\x1b[0m"});
  table.row({"x", "-", ""});
  EXPECT_EQ(table.text(),
            "NAME      SIZE  STATE\n"
            "a       1.5 MB  done\n"
            "longer    20 B  \x1b[31mfailed\x1b[0m\n"
            "x            -\n");
}

TEST(Table, WithoutRowsOnlyTheTitles) {
  const Table table({{"A"}, {"B"}});
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.text(), "A  B\n");
}

}  // namespace
}  // namespace paceline::cli
