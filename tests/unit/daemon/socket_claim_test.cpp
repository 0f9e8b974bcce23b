#include "plugin/daemon/socket_claim.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "tests/support/temp_dir.h"

namespace paceline::daemon {
namespace {

UniqueFd listen_at(const std::string& address) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address.c_str(), address.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  EXPECT_EQ(::listen(fd.get(), 1), 0);
  return fd;
}

TEST(SocketClaim, MakesTheFolderAndKeepsOthersOut) {
  const test::TempDir dir;
  const std::string address = dir.path() / "run" / "paceline.sock";
  {
    const auto claim = claim_socket(address);
    ASSERT_TRUE(claim) << claim.error().message;
    const auto second = claim_socket(address);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
    EXPECT_NE(second.error().message.find(address + " is in use"), std::string::npos);
  }
  EXPECT_TRUE(claim_socket(address)) << "given up with the descriptor";
}

TEST(SocketClaim, RemovesAStaleSocketButNotALiveOne) {
  const test::TempDir dir;
  const std::string address = dir.path() / "paceline.sock";
  auto listener = listen_at(address);
  const auto live = claim_socket(address);
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(address));

  listener.reset();
  EXPECT_TRUE(claim_socket(address));
  EXPECT_FALSE(std::filesystem::exists(address));
}

TEST(SocketClaim, LeavesAFileThatIsNoSocket) {
  const test::TempDir dir;
  const std::string address = dir.write("paceline.sock", "precious");
  const auto claim = claim_socket(address);
  ASSERT_FALSE(claim);
  EXPECT_NE(claim.error().message.find("not a socket"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(address));
}

TEST(SocketClaim, NamesAFolderThatCannotBeMade) {
  const test::TempDir dir;
  const std::string file = dir.write("file", "");
  const auto claim = claim_socket(file + "/paceline.sock");
  ASSERT_FALSE(claim);
  EXPECT_NE(claim.error().message.find(file), std::string::npos) << claim.error().message;
}

}  // namespace
}  // namespace paceline::daemon
