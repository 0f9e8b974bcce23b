#include "plugin/doctor/look.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "plugin/base/fd.h"
#include "tests/support/temp_dir.h"

namespace paceline::doctor {
namespace {

using testing::HasSubstr;

/// A port that is bound and does not listen: nobody else takes it meanwhile.
struct SilentPort {
  SilentPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd.get(), generic, size), 0);
    EXPECT_EQ(::getsockname(fd.get(), generic, &size), 0);
    number = ntohs(address.sin_port);
  }
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  unsigned number = 0;
};

TEST(Look, SaysInWordsWhyThePortsDoNotAnswer) {
  const test::TempDir dir;
  const SilentPort port;
  const std::string address = "127.0.0.1:" + std::to_string(port.number);
  Places places;
  places.daemon_config =
      dir.write("config.toml", "[mirror]\naddress = \"" + address + "\"\n[metrics]\nenabled = false\n");
  const auto node = look(places);
  EXPECT_FALSE(node.daemon_config_absent);
  ASSERT_FALSE(node.mirror_status);
  EXPECT_EQ(node.mirror_status.error().message, address + ": cannot connect, nothing seems to listen there");
}

TEST(Look, AnAbsentConfigurationIsTheDefaultsAndSaidToBeAbsent) {
  const test::TempDir dir;
  Places places;
  places.daemon_config = dir.path() / "config.toml";
  const auto node = look(places);
  EXPECT_TRUE(node.daemon_config_absent);
  EXPECT_EQ(*node.daemon_config, config::Config());
  dir.write("config.toml", "mistake = 1\n");
  EXPECT_FALSE(look(places).daemon_config_absent);
  EXPECT_FALSE(look(places).daemon_config);
}

}  // namespace
}  // namespace paceline::doctor
