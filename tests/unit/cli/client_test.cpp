#include "plugin/cli/client.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace paceline::cli {
namespace {

TEST(Client, AnAddressIsAPathHoweverItIsWritten) {
  EXPECT_EQ(socket_path("/run/p.sock").value(), "/run/p.sock");
  EXPECT_EQ(socket_path("unix:/run/p.sock").value(), "/run/p.sock");
  EXPECT_EQ(socket_path("unix:///run/p.sock").value(), "/run/p.sock");
  EXPECT_EQ(socket_path("localhost:80").error().exit, Exit::kUsage);
  EXPECT_EQ(socket_path("").error().exit, Exit::kUsage);
  EXPECT_EQ(socket_path("/" + std::string(200, 'x')).error().exit, Exit::kUsage);
}

TEST(Client, AnUnreachableDaemonIsExplained) {
  const auto absent = explain_unreachable(ENOENT, "/run/p.sock");
  EXPECT_EQ(absent.exit, Exit::kUnreachable);
  EXPECT_EQ(absent.message,
            "cannot reach pacelined at /run/p.sock: there is no such socket; is it running? See: systemctl status "
            "pacelined");
  EXPECT_NE(explain_unreachable(EACCES, "/run/p.sock").message.find("use sudo"), std::string::npos);
  EXPECT_NE(explain_unreachable(ECONNREFUSED, "/run/p.sock").message.find("nobody listens"), std::string::npos);
}

}  // namespace
}  // namespace paceline::cli
