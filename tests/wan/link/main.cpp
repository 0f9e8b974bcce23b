// wan-link: a wide-area link between two network namespaces, in one process.

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/wan/link/control.h"
#include "tests/wan/link/link.h"
#include "tests/wan/link/settings.h"
#include "tests/wan/link/tun.h"

namespace paceline::wan {
namespace {

constexpr const char* kHelp = R"(wan-link: a wide-area link between two network namespaces

usage: wan-link --client NETNS --server NETNS --set 'rate_mbps=100 rtt_ms=40 ...' [options]

Makes a TUN device in each namespace and carries IPv4 packets between them. The caller gives the devices addresses and
sets them up, once the line "ready" has come on standard output. Needs root. tests/wan/lane.py does all of that.

  --client PATH     network namespace of the client, such as /run/netns/c
  --server PATH     network namespace of the server
  --set 'K=V ...'   what the link is like:
                      rate_mbps=   of the wire, both ways, Ethernet framing included (goodput: 1448/1538 of it)
                      rtt_ms=      half of it each way
                      loss_pct=    random loss, server to client        loss_up_pct=  client to server
                      cap_mbps=    pacing of each TCP connection, server to client; 0: none
                      queue_kb=    drop-tail queue, each way, 1000 bytes of wire; 0: one bandwidth-delay product,
                                   at least 50 packets
  --device NAME     of both TUN devices (default: wan0)
  --control PATH    a unix socket; one command a line, one line of answer:
                      stats        counters as JSON         reset        the counters
                      set K=V ...  changes the link in mid-run
  --seed N          of the random losses (default: 1)
  --with-stdin      end when standard input ends, so that the link does not outlive its owner
  --normal          normal scheduling, instead of real-time priority that keeps departures punctual on a busy machine
  --help

example:
  ip netns add c; ip netns add s
  wan-link --client /run/netns/c --server /run/netns/s --set 'rate_mbps=100 rtt_ms=40' --control /run/wan.sock &
  ip -n c addr add 10.9.0.1/24 dev wan0; ip -n c link set wan0 up      (and 10.9.0.2 in s)
  ip netns exec c ping 10.9.0.2
  echo stats | nc -U -N /run/wan.sock
)";

struct Usage : std::exception {
  explicit Usage(std::string what) : what_(std::move(what)) {}
  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }
  std::string what_;
};

struct Options {
  std::string client, server, device = "wan0", control;
  Settings settings;
  uint64_t seed = 1;
  bool with_stdin = false, normal = false, help = false;
};

Options parse(const std::vector<std::string>& words) {
  Options options;
  std::string settings, seed;
  const std::map<std::string, std::string*> texts{{"--client", &options.client}, {"--server", &options.server},
                                                  {"--device", &options.device}, {"--control", &options.control},
                                                  {"--set", &settings},          {"--seed", &seed}};
  const std::map<std::string, bool*> flags{
      {"--with-stdin", &options.with_stdin}, {"--normal", &options.normal}, {"--help", &options.help}};
  for (size_t i = 0; i < words.size(); ++i) {
    if (const auto flag = flags.find(words[i]); flag != flags.end()) {
      *flag->second = true;
    } else if (const auto text = texts.find(words[i]); text != texts.end()) {
      if (++i == words.size()) throw Usage(text->first + " wants a value");
      *text->second = words[i];
    } else {
      throw Usage("unknown argument '" + words[i] + "'");
    }
  }
  if (options.help) return options;
  if (options.client.empty() || options.server.empty()) throw Usage("--client and --server are wanted");
  if (const auto wrong = update(settings, options.settings)) throw Usage("--set: " + *wrong);
  if (options.settings.rate_mbps == 0) throw Usage("--set: rate_mbps= is wanted");
  const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), options.seed);
  if (!seed.empty() && (error != std::errc() || *end != '\0')) throw Usage("--seed: a whole number is wanted");
  return options;
}

void be_punctual(bool normal) {
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  sched_param param{};
  param.sched_priority = 1;
  if (!normal && ::sched_setscheduler(0, SCHED_FIFO, &param) != 0) {
    std::fprintf(stderr, "wan-link: no real-time priority (%s): departures may be late on a busy machine\n",
                 std::strerror(errno));
  }
}

/// Events that follow each other faster than this are handled together, as a network card moderates its interrupts. A
/// packet is late by this at most; waking for each would take twice the processor's time at 1 Gbps.
int64_t gap(const Link& link) { return std::min<int64_t>(200'000, link.settings().one_way_ns() / 10); }

/// In a busy time the control socket is looked at this often.
constexpr int kMostBusyRounds = 100;

timespec to_timespec(int64_t ns) { return {ns / 1'000'000'000, ns % 1'000'000'000}; }

/// Moves packets, and sleeps in between, until nothing is urgent.
void work_while_busy(Link& link, int64_t& last_woken) {
  int64_t woken = Link::now();
  const bool rapid = woken - last_woken < gap(link);
  for (int i = 0; i < kMostBusyRounds; ++i) {
    const bool any = link.work();
    const int64_t next_wake = woken + gap(link);
    const bool soon = link.next_event().value_or(next_wake) < next_wake;
    if (!soon && !(any && rapid)) break;
    const timespec until = to_timespec(next_wake);
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    woken = Link::now();
  }
  last_woken = woken;
}

/// Until a signal, or the end of standard input when that is the owner's life line.
void run(Link& link, Control* control, bool with_stdin) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  const UniqueFd ended(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  std::vector<pollfd> fds;
  int64_t last_woken = 0;
  while (true) {
    const auto watch = [&](int fd) { fds.push_back({fd, POLLIN, 0}); };
    fds.clear();
    watch(link.client_fd());
    watch(link.server_fd());
    watch(ended.get());
    watch(with_stdin ? STDIN_FILENO : -1);
    watch(control != nullptr ? control->listener() : -1);
    if (control != nullptr) {
      for (const int client : control->clients()) watch(client);
    }
    const std::optional<int64_t> next = link.next_event();
    const timespec wait = to_timespec(next ? std::max<int64_t>(0, *next - Link::now()) : 0);
    ::ppoll(fds.data(), fds.size(), next ? &wait : nullptr, nullptr);
    work_while_busy(link, last_woken);
    if (fds[2].revents != 0) return;
    if (fds[3].revents != 0) {
      char ignored[64];
      if (::read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return;
    }
    for (size_t i = 5; i < fds.size(); ++i) {
      if (fds[i].revents != 0) control->serve(fds[i].fd);
    }
    if (fds[4].revents != 0) control->accept();
  }
}

int start(const Options& options) {
  if (options.help) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  Link link(Tun(options.client, options.device), Tun(options.server, options.device), options.settings, options.seed);
  std::unique_ptr<Control> control;
  if (!options.control.empty()) control = std::make_unique<Control>(options.control, link);
  be_punctual(options.normal);
  std::puts("ready");
  std::fflush(stdout);
  run(link, control.get(), options.with_stdin);
  return 0;
}

}  // namespace
}  // namespace paceline::wan

int main(int argc, char** argv) {
  try {
    return paceline::wan::start(paceline::wan::parse({argv + 1, argv + argc}));
  } catch (const paceline::wan::Usage& wrong) {
    std::fprintf(stderr, "wan-link: %s; see wan-link --help\n", wrong.what());
    return 2;
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "wan-link: %s\n", failed.what());
    return 1;
  }
}
