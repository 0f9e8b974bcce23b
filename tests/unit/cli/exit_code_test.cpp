#include "plugin/cli/exit_code.h"

#include <gtest/gtest.h>

namespace paceline::cli {
namespace {

TEST(ExitCode, TheNumbersAreAPromise) {
  EXPECT_EQ(static_cast<int>(Exit::kOk), 0);
  EXPECT_EQ(static_cast<int>(Exit::kFailed), 1);
  EXPECT_EQ(static_cast<int>(Exit::kUsage), 2);
  EXPECT_EQ(static_cast<int>(Exit::kUnreachable), 3);
  EXPECT_EQ(static_cast<int>(Exit::kNotFound), 4);
  EXPECT_EQ(static_cast<int>(Exit::kTimeout), 5);
  EXPECT_EQ(static_cast<int>(Exit::kGate), 6);
  EXPECT_EQ(static_cast<int>(Exit::kInterrupted), 130);
}

TEST(ExitCode, FromTheDaemonsStatus) {
  EXPECT_EQ(exit_for(grpc::StatusCode::OK), Exit::kOk);
  EXPECT_EQ(exit_for(grpc::StatusCode::INVALID_ARGUMENT), Exit::kUsage);
  EXPECT_EQ(exit_for(grpc::StatusCode::UNAVAILABLE), Exit::kUnreachable);
  EXPECT_EQ(exit_for(grpc::StatusCode::NOT_FOUND), Exit::kNotFound);
  EXPECT_EQ(exit_for(grpc::StatusCode::DEADLINE_EXCEEDED), Exit::kTimeout);
  EXPECT_EQ(exit_for(grpc::StatusCode::FAILED_PRECONDITION), Exit::kFailed);
  EXPECT_EQ(exit_for(grpc::StatusCode::INTERNAL), Exit::kFailed);
}

TEST(ExitCode, ARegistryThatIsAwayIsNotTheDaemonAway) {
  EXPECT_EQ(exit_for_pull("UNAVAILABLE"), Exit::kFailed);
  EXPECT_EQ(exit_for_pull("NOT_FOUND"), Exit::kNotFound);
  EXPECT_EQ(exit_for_pull(""), Exit::kFailed);
}

TEST(ExitCode, SeveralFailuresKeepTheReasonTheyShare) {
  EXPECT_EQ(combine(Exit::kOk, Exit::kOk), Exit::kOk);
  EXPECT_EQ(combine(Exit::kOk, Exit::kNotFound), Exit::kNotFound);
  EXPECT_EQ(combine(Exit::kNotFound, Exit::kOk), Exit::kNotFound);
  EXPECT_EQ(combine(Exit::kNotFound, Exit::kNotFound), Exit::kNotFound);
  EXPECT_EQ(combine(Exit::kNotFound, Exit::kTimeout), Exit::kFailed);
}

}  // namespace
}  // namespace paceline::cli
