#include "plugin/mirror/paging.h"

#include <gtest/gtest.h>

namespace paceline::mirror {
namespace {

TEST(Paging, TheNextPageIsBehindTheMirrorToo) {
  const auto route = parse_route("/v2/team/app/tags/list?n=2&ns=ghcr.io");
  ASSERT_TRUE(route);
  const std::string here = "</v2/team/app/tags/list?last=b&n=2&ns=ghcr.io>; rel=\"next\"";
  EXPECT_EQ(next_page("</v2/team/app/tags/list?last=b&n=2>; rel=\"next\"", *route), here);
  EXPECT_EQ(next_page("<https://ghcr.io/v2/team/app/tags/list?last=b&n=2>; rel=next", *route), here);
  EXPECT_EQ(next_page("<https://cache.example/hub/team/app/tags/list?last=b&n=2&ns=elsewhere>; rel=\"next\"", *route),
            here);
}

TEST(Paging, NoNextPageIsNoLink) {
  const auto route = parse_route("/v2/a/tags/list?ns=localhost:5000");
  ASSERT_TRUE(route);
  for (const auto* link :
       {"", "<", "<x", "x>; rel=\"next\"", "<http://a/b?last=c>", "<http://a/b?last=c>; rel=\"prev\""}) {
    EXPECT_EQ(next_page(link, *route), "") << link;
  }
}

}  // namespace
}  // namespace paceline::mirror
