#include "plugin/net/network_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/fake_server.h"
#include "tests/unit/net/recorder.h"

namespace paceline::net {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;

std::string content(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

/// Serves `body`, ranges included.
FakeServer::Handler serving(std::string body) {
  return [body = std::move(body)](const FakeRequest& request, FakeConnection& connection) {
    connection.serve(request, body);
  };
}

/// Sends a head and a little of the body, then waits for the client.
void serve_and_hang(const FakeRequest& /*request*/, FakeConnection& connection) {
  connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome");
  connection.wait_until_closed();
}

TEST(NetworkThread, FetchesClosedRangesOverOneKeptConnection) {
  const std::string body = content(1U << 20U);
  FakeServer server(serving(body));
  NetworkThread thread(NetworkOptions{});
  std::string assembled;
  constexpr std::size_t kRange = 256U << 10U;
  for (std::size_t first = 0; first < body.size(); first += kRange) {
    HttpRequest request = get(server.url("/blob"));
    request.headers.set("Range", "bytes=" + std::to_string(first) + "-" + std::to_string(first + kRange - 1));
    const Recording recording = run(thread, request);
    ASSERT_TRUE(recording.end.status) << recording.end.status.error().message;
    EXPECT_EQ(recording.head.status, 206);
    const ContentRange range = parse_content_range(recording.head.headers.get("Content-Range")).value();
    EXPECT_EQ(range.first, first);
    EXPECT_EQ(range.total, body.size());
    EXPECT_EQ(recording.end.body_bytes, kRange);
    EXPECT_EQ(recording.end.reused, first > 0);
    EXPECT_EQ(recording.end.connect > Duration::zero(), first == 0);
    EXPECT_GT(recording.end.first_byte, Duration::zero());
    EXPECT_GE(recording.end.total, recording.end.connect + recording.end.first_byte);
    assembled += recording.body;
  }
  EXPECT_EQ(assembled, body);
  EXPECT_EQ(server.connections(), 1U);
}

TEST(NetworkThread, InterimAnswersAreNotTheHead) {
  FakeServer server([](const FakeRequest&, FakeConnection& connection) {
    connection.write("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok");
  });
  NetworkThread thread(NetworkOptions{});
  const Recording recording = run(thread, get(server.url()));
  ASSERT_TRUE(recording.end.status);
  EXPECT_EQ(recording.heads, 1);
  EXPECT_EQ(recording.head.status, 200);
  EXPECT_FALSE(recording.head.headers.has("Link"));
}

TEST(NetworkThread, AHandlerAbortsInTheHead) {
  FakeServer server(serving(content(100000)));
  NetworkThread thread(NetworkOptions{});
  const Recording recording =
      run(thread, get(server.url()), {.on_head = [](const ResponseHead&) { return Flow::kAbort; }});
  EXPECT_TRUE(recording.end.aborted);
  EXPECT_EQ(recording.end.status.error().code, Code::kCancelled);
  EXPECT_EQ(recording.body, "");
}

TEST(NetworkThread, AHandlerAbortsInTheBody) {
  FakeServer server(serving(content(5U << 20U)));
  NetworkThread thread(NetworkOptions{});
  int calls = 0;
  const Recording recording =
      run(thread, get(server.url()),
          {.on_body = [&](std::span<const std::byte>) { return ++calls == 3 ? Flow::kAbort : Flow::kContinue; }});
  EXPECT_TRUE(recording.end.aborted);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(recording.end.body_bytes, recording.body.size());
}

TEST(NetworkThread, CancelReportsBeforeItReturns) {
  FakeServer server(&serve_and_hang);
  NetworkThread thread(NetworkOptions{});
  auto [id, future] = on_thread(thread, [&] { return begin(thread, get(server.url())); });
  ASSERT_TRUE(server.wait_for_requests(1));
  on_thread(thread, [&, id = id, future = &future] {
    thread.cancel(id);
    EXPECT_EQ(future->wait_for(std::chrono::seconds(0)), std::future_status::ready);
    thread.cancel(id);  // Unknown by now.
    thread.cancel(99999);
  });
  const Recording recording = future.get();
  EXPECT_EQ(recording.end.status.error().code, Code::kCancelled);
  EXPECT_FALSE(recording.end.aborted);
}

TEST(NetworkThread, CancelBeforeTheTransferBegan) {
  NetworkThread thread(NetworkOptions{});
  const auto done = on_thread(thread, [&] {
    auto [id, future] = begin(thread, get("http://127.0.0.1:1/"));
    EXPECT_NE(future.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    thread.cancel(id);
    return future.get();
  });
  EXPECT_EQ(done.end.status.error().code, Code::kCancelled);
}

TEST(NetworkThread, AHandlerMayCancelAnotherAndStartAThirdFromItsHead) {
  FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
    if (request.target == "/hang") return serve_and_hang(request, connection);
    connection.serve(request, "plain");
  });
  NetworkThread thread(NetworkOptions{});
  auto [victim_id, victim] = on_thread(thread, [&] { return begin(thread, get(server.url("/hang"))); });
  ASSERT_TRUE(server.wait_for_requests(1));
  std::future<Recording> third;
  bool victim_done_in_callback = false;
  const Recording second =
      run(thread, get(server.url("/a")), {.on_head = [&, id = victim_id, victim = &victim](const ResponseHead&) {
            thread.cancel(id);
            victim_done_in_callback = victim->wait_for(std::chrono::seconds(0)) == std::future_status::ready;
            third = begin(thread, get(server.url("/b"))).second;
            return Flow::kContinue;
          }});
  EXPECT_TRUE(second.end.status);
  EXPECT_EQ(second.body, "plain");
  EXPECT_TRUE(victim_done_in_callback);
  EXPECT_EQ(victim.get().end.status.error().code, Code::kCancelled);
  EXPECT_EQ(third.get().body, "plain");
}

TEST(NetworkThread, TwoTransfersThatCancelEachOtherEndOnceEach) {
  FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
    if (request.target == "/hang") return serve_and_hang(request, connection);
    connection.serve(request, "plain");
  });
  NetworkThread thread(NetworkOptions{});
  TransferId first = 0;
  TransferId second = 0;
  std::future<Recording> first_done;
  auto second_done = on_thread(thread, [&] {
    std::tie(first, first_done) =
        begin(thread, get(server.url("/hang")), {.on_done = [&](const TransferEnd&) { thread.cancel(second); }});
    std::future<Recording> future;
    std::tie(second, future) = begin(thread, get(server.url("/b")), {.on_body = [&](std::span<const std::byte>) {
                                       thread.cancel(first);
                                       return Flow::kContinue;
                                     }});
    return future;
  });
  EXPECT_EQ(first_done.get().end.status.error().code, Code::kCancelled);
  EXPECT_EQ(second_done.get().end.status.error().code, Code::kCancelled);
}

TEST(NetworkThread, ChainsOfTransfersFromOnDone) {
  FakeServer server(serving("x"));
  NetworkThread thread(NetworkOptions{});
  std::promise<void> finished;
  int left = 50;
  std::function<void()> next = [&] {
    begin(thread, get(server.url()), {.on_done = [&](const TransferEnd& end) {
            EXPECT_TRUE(end.status);
            if (--left == 0) return finished.set_value();
            next();
          }});
  };
  thread.post(next);
  finished.get_future().get();
  EXPECT_EQ(server.connections(), 1U);
}

TEST(NetworkThread, AHundredTransfersAtOnce) {
  const std::string body = content(200000);
  FakeServer server(serving(body));
  NetworkThread thread(NetworkOptions{});
  auto futures = on_thread(thread, [&] {
    std::vector<std::future<Recording>> all;
    for (int i = 0; i < 100; ++i) all.push_back(begin(thread, get(server.url("/" + std::to_string(i)))).second);
    return all;
  });
  for (auto& future : futures) {
    const Recording recording = future.get();
    ASSERT_TRUE(recording.end.status) << recording.end.status.error().message;
    EXPECT_EQ(recording.body, body);
  }
  EXPECT_EQ(server.requests().size(), 100U);
}

/// Pauses after every piece and resumes from a timer; `on_piece` may end it.
Recording run_paused(NetworkThread& thread, const std::string& url, std::function<Flow(int)> on_piece) {
  int pieces = 0;
  bool paused = false;
  TransferId id = 0;
  std::future<Recording> future;
  on_thread(thread, [&] {
    std::tie(id, future) = begin(thread, get(url), {.on_body = [&](std::span<const std::byte>) {
                                   EXPECT_FALSE(paused) << "a piece came in the pause";
                                   if (on_piece(++pieces) == Flow::kAbort) return Flow::kAbort;
                                   paused = true;
                                   thread.after(std::chrono::milliseconds(1), [&] {
                                     paused = false;
                                     thread.resume(id);
                                   });
                                   return Flow::kPause;
                                 }});
  });
  Recording recording = future.get();
  on_thread(thread, [] {});  // Whatever still touches our variables is over, but for a last timer:
  std::promise<void> last_timer;
  thread.post([&] { thread.after(std::chrono::milliseconds(2), [&] { last_timer.set_value(); }); });
  last_timer.get_future().get();
  return recording;
}

TEST(NetworkThread, APausedBodyArrivesWholeAndInOrder) {
  const std::string body = content(3U << 20U);
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.target == "/plain") {
      connection.serve(request, body);
      return;
    }
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 1U << 16U) {
      connection.write("10000\r\n" + body.substr(at, 1U << 16U) + "\r\n");
    }
    connection.write("0\r\n\r\n");
  });
  NetworkThread thread(NetworkOptions{});
  for (const char* path : {"/plain", "/chunked"}) {
    const Recording recording = run_paused(thread, server.url(path), [](int) { return Flow::kContinue; });
    ASSERT_TRUE(recording.end.status) << recording.end.status.error().message;
    EXPECT_EQ(recording.end.body_bytes, body.size());
    EXPECT_TRUE(recording.body == body) << path;
  }
}

TEST(NetworkThread, AnAbortAfterAPauseEndsTheTransfer) {
  FakeServer server(serving(content(3U << 20U)));
  NetworkThread thread(NetworkOptions{});
  for (const int last : {1, 2, 5}) {
    const Recording recording =
        run_paused(thread, server.url(), [&](int piece) { return piece == last ? Flow::kAbort : Flow::kContinue; });
    EXPECT_TRUE(recording.end.aborted);
    EXPECT_EQ(recording.end.body_bytes, recording.body.size());
  }
}

TEST(NetworkThread, AResumedHandlerMayCancelAnother) {
  FakeServer server([body = content(3U << 20U)](const FakeRequest& request, FakeConnection& connection) {
    if (request.target == "/hang") return serve_and_hang(request, connection);
    connection.serve(request, body);
  });
  NetworkThread thread(NetworkOptions{});
  auto [victim_id, victim] = on_thread(thread, [&] { return begin(thread, get(server.url("/hang"))); });
  ASSERT_TRUE(server.wait_for_requests(1));
  const Recording recording = run_paused(thread, server.url("/a"), [&, id = victim_id](int piece) {
    if (piece == 2) thread.cancel(id);
    return Flow::kContinue;
  });
  EXPECT_TRUE(recording.end.status);
  EXPECT_EQ(victim.get().end.status.error().code, Code::kCancelled);
}

TEST(NetworkThread, APauseIsNoStallAndMayBeCancelled) {
  FakeServer server(serving(content(3U << 20U)));
  NetworkThread thread(NetworkOptions{});
  HttpRequest request = get(server.url());
  request.stall_bytes = 1000;
  request.stall_window = std::chrono::milliseconds(20);
  std::promise<void> ticked;
  auto [id, future] = on_thread(thread, [&] {
    thread.after(std::chrono::milliseconds(150), [&] { ticked.set_value(); });
    return begin(thread, request, {.on_body = [](std::span<const std::byte>) { return Flow::kPause; }});
  });
  ticked.get_future().get();
  EXPECT_NE(future.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  on_thread(thread, [&, id = id] { thread.cancel(id); });
  EXPECT_EQ(future.get().end.status.error().code, Code::kCancelled);
}

TEST(NetworkThread, ShutDownEndsWhatRunsAndWhatComes) {
  FakeServer server(&serve_and_hang);
  NetworkThread thread(NetworkOptions{});
  auto running = launch(thread, get(server.url()));
  ASSERT_TRUE(server.wait_for_requests(1));
  thread.shut_down();
  EXPECT_EQ(running.get().end.status.error().code, Code::kCancelled);
  EXPECT_EQ(thread.fetch(get(server.url()), 10).error().code, Code::kCancelled);
  EXPECT_EQ(on_thread(thread, [] { return 7; }), 7);
}

TEST(NetworkThread, TheDestructorCancelsWhatIsInFlight) {
  FakeServer server(&serve_and_hang);
  std::vector<std::future<Recording>> futures;
  std::atomic<bool> timer_ran = false;
  std::future<Recording> late;
  {
    NetworkThread thread(NetworkOptions{});
    for (int i = 0; i < 10; ++i) {
      futures.push_back(launch(thread, get(server.url()), {.on_done = [&](const TransferEnd&) {
                                 if (!late.valid()) late = begin(thread, get(server.url())).second;
                               }}));
    }
    ASSERT_TRUE(server.wait_for_requests(10));
    on_thread(thread, [&] { thread.after(std::chrono::hours(1), [&] { timer_ran = true; }); });
  }
  for (auto& future : futures) EXPECT_EQ(future.get().end.status.error().code, Code::kCancelled);
  EXPECT_EQ(late.get().end.status.error().code, Code::kCancelled);
  EXPECT_FALSE(timer_ran);
}

TEST(NetworkThread, PostedWorkRunsInOrderAndBeforeTheEnd) {
  std::vector<int> order;
  {
    NetworkThread thread(NetworkOptions{});
    for (int i = 0; i < 100; ++i) thread.post([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(NetworkThread, TimersRunInOrderAndCancelledOnesDoNot) {
  NetworkThread thread(NetworkOptions{});
  std::string order;
  std::promise<void> last;
  thread.post([&] {
    thread.after(std::chrono::milliseconds(40), [&] { last.set_value(); });
    thread.after(std::chrono::milliseconds(20), [&] { order += 'b'; });
    thread.after(std::chrono::milliseconds(1), [&] {
      EXPECT_TRUE(thread.on_network_thread());
      order += 'a';
      thread.post([&] { order += 'p'; });
    });
    thread.cancel_timer(thread.after(std::chrono::milliseconds(10), [&] { order += 'x'; }));
  });
  last.get_future().get();
  EXPECT_EQ(order, "apb");
}

TEST(NetworkThread, PostsFromManyThreadsAreAllRun) {
  NetworkThread thread(NetworkOptions{});
  int sum = 0;  // The network thread's own.
  std::vector<std::thread> posters;
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([&] {
      for (int k = 0; k < 500; ++k) thread.post([&sum] { ++sum; });
    });
  }
  for (std::thread& poster : posters) poster.join();
  EXPECT_EQ(on_thread(thread, [&] { return sum; }), 2000);
}

}  // namespace
}  // namespace paceline::net
