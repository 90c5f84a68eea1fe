package shell

import (
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"github.com/daxpay-go/daxpay"
)

func (s *shell) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find out why calls to a gateway fail", Args: noArgs,
		Long: "Finds out whether calls to a gateway work, and if not, why: is it reachable, is the path prefix right, do\n" +
			"the clocks agree, are secret and algorithm right, which version is it, does it check signatures. It queries a\n" +
			"payment that cannot exist, which changes nothing. Exit status 1: there is a fault.",
		RunE: s.run(func(cmd *cobra.Command, _ []string) error {
			kit, err := s.client(cmd, true)
			if err != nil {
				return err
			}
			return s.printReport(kit.Doctor(cmd.Context()))
		}),
	}
	addSettings(cmd, true)
	return cmd
}

// finding is a daxpay.Finding as scripts read it.
type finding struct {
	Name   string `json:"name"`
	Level  string `json:"level"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
}

func (s *shell) printReport(report *daxpay.Report) error {
	// Doctor cannot know the store of the program that makes transfers. This command has one of its own.
	report.Findings = slices.DeleteFunc(report.Findings, func(f daxpay.Finding) bool { return f.Name == "OnceStore" })
	if s.json {
		findings := make([]finding, len(report.Findings))
		for i, f := range report.Findings {
			findings[i] = finding{f.Name, levels[f.Level], inWords(f.Detail), inWords(f.Advice)}
		}
		err := s.printJSON(map[string]any{
			"healthy": report.Healthy(), "gateway": report.Gateway.String(), "findings": findings,
			"latencySeconds": report.Latency.Seconds(), "clockDifferenceSeconds": report.ClockDifference.Seconds(),
		})
		if err != nil {
			return err
		}
	} else {
		for _, f := range report.Findings {
			level := f.Level.String()
			padding := "        "[min(len(level), 8):]
			s.printf("%s%s %-18s %s\n", s.paint(levelColours[f.Level], level), padding, f.Name, inWords(f.Detail))
			if f.Advice != "" {
				s.printf("%-8s %-18s → %s\n", "", "", inWords(f.Advice))
			}
		}
	}
	if !report.Healthy() {
		return failure(exitFailed, "the gateway cannot be used as it is configured here: see FAULT")
	}
	return nil
}

var (
	levelColours = map[daxpay.FindingLevel]string{
		daxpay.FindingOK: green, daxpay.FindingWarning: yellow, daxpay.FindingFault: red,
	}
	levels = map[daxpay.FindingLevel]string{
		daxpay.FindingOK: "ok", daxpay.FindingWarning: "warning", daxpay.FindingFault: "fault",
	}
)

func (s *shell) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the versions of the command, the SDK and Go", Args: noArgs,
		RunE: s.run(func(*cobra.Command, []string) error {
			command := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
				command = info.Main.Version
			}
			if s.json {
				return s.printJSON(map[string]string{
					"command": command, "sdk": daxpay.Version, "go": runtime.Version(),
				})
			}
			s.printf("daxpay %s, SDK %s, %s\n", command, daxpay.Version, runtime.Version())
			return nil
		}),
	}
}
