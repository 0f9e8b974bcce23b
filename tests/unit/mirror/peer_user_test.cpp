#include "plugin/mirror/peer_user.h"

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "plugin/base/files.h"
#include "plugin/mirror/http_server.h"
#include "tests/unit/mirror/raw_client.h"

namespace paceline::mirror {
namespace {

constexpr uid_t kNobody = 65534;

/// A socket belongs to the file system user of the thread that makes it.
template <class Make>
auto as_user(uid_t user, Make make) {
  const auto own = static_cast<uid_t>(::setfsuid(user));
  auto made = make();
  ::setfsuid(own);
  return made;
}

/// Answers with the user that it sees.
std::unique_ptr<HttpServer> echo(const char* host) {
  auto server = HttpServer::start({.host = host, .port = 0}, [](const Request& request) {
    Response response;
    response.body = request.user ? std::to_string(*request.user) : "unknown";
    return response;
  });
  EXPECT_TRUE(server);
  return std::move(*server);
}

class PeerUser : public testing::TestWithParam<const char*> {};

TEST_P(PeerUser, IsWhoMadeTheSocket) {
  const auto server = echo(GetParam());
  RawClient own(server->address().port, GetParam());
  EXPECT_EQ(own.get("/").body, std::to_string(::geteuid()));
  if (::geteuid() != 0) GTEST_SKIP() << "to be another user takes root";
  auto other = as_user(kNobody, [&] { return RawClient(server->address().port, GetParam()); });
  EXPECT_EQ(other.get("/", "Remote-Addr: 0\r\nREMOTE_ADDR: 0\r\n").body, std::to_string(kNobody));
  EXPECT_EQ(other.get("/").body, std::to_string(kNobody)) << "and stays so on the same connection";
}

INSTANTIATE_TEST_SUITE_P(Loopback, PeerUser, testing::Values("127.0.0.1", "::1"));

/// The two ends of a connection made by this thread.
struct Pair {
  UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  UniqueFd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  UniqueFd server;

  Pair() {
    sockaddr_storage address{};
    address.ss_family = AF_INET;
    socklen_t length = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener.get(), generic, 16), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), generic, &length), 0);
    EXPECT_EQ(::connect(client.get(), generic, length), 0);
    server = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  /// Of the client, as the server asks for it.
  [[nodiscard]] peer::Ends ends() const {
    peer::Ends ends;
    socklen_t length = sizeof(ends.own);
    EXPECT_EQ(::getpeername(server.get(), reinterpret_cast<sockaddr*>(&ends.own), &length), 0);
    length = sizeof(ends.other);
    EXPECT_EQ(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&ends.other), &length), 0);
    return ends;
  }
};

TEST(PeerUserSources, BothTellTheSame) {
  const Pair pair = ::geteuid() == 0 ? as_user(kNobody, [] { return Pair(); }) : Pair();
  const uid_t expected = ::geteuid() == 0 ? kNobody : ::geteuid();
  const auto table = read_file("/proc/net/tcp");
  ASSERT_TRUE(table);
  EXPECT_EQ(peer::user_in_table(*table, pair.ends()), expected);
  EXPECT_EQ(peer::user_by_diagnosis(pair.ends()).value_or(expected), expected) << "where the kernel has it";
  EXPECT_EQ(user_of_peer(pair.server.get()), expected);
}

TEST(PeerUserSources, AnEndThatNobodyHoldsIsNobodys) {
  Pair pair;
  const auto ends = pair.ends();
  pair.client.reset();  // The kernel shows what is left of it as root's.
  EXPECT_EQ(peer::user_by_diagnosis(ends), std::nullopt);
  EXPECT_EQ(peer::user_in_table(read_file("/proc/net/tcp").value_or(""), ends), std::nullopt);
}

TEST(PeerUserSources, ATableThatLooksOtherwiseTellsNothing) {
  const Pair pair;
  EXPECT_EQ(peer::user_in_table("", pair.ends()), std::nullopt);
  const auto table = read_file("/proc/net/tcp").value_or("");
  for (std::size_t length = 0; length < table.size(); length += 7) {
    (void)peer::user_in_table(std::string_view(table).substr(0, length), pair.ends());
  }
}

}  // namespace
}  // namespace paceline::mirror
