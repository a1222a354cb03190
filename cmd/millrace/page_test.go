package main

import (
	"testing"

	"github.com/millrace/millrace/test/env/clitest"
)

func TestTheConfigurationPageHasEveryFlag(t *testing.T) { clitest.HoldPage(t, &flags{}, "millrace") }
