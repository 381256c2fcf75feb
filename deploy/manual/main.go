// Command manual writes the manual pages and the completions of the program into a
// folder, for its packages. The program itself carries neither. SOURCE_DATE_EPOCH is
// their date.
package main

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"mcp-partner/internal/cli"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manual FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

// write makes man/*.1.gz, and completions under the names that shells look for.
func write(to string) error {
	pages := filepath.Join(to, "man")
	if err := os.MkdirAll(pages, 0o755); err != nil {
		return err
	}
	root := cli.NewRoot(cmdutil.NewDeps(term.SystemStreams()))
	root.DisableAutoGenTag = true
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "mcp-partner", Manual: "mcp-partner"}, pages); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(pages, "*.1"))
	for _, name := range names {
		if err == nil {
			err = compress(name)
		}
	}
	if err != nil {
		return err
	}
	return complete(root, to)
}

func complete(root *cobra.Command, to string) error {
	if err := root.GenBashCompletionFileV2(filepath.Join(to, "mcp-partner"), true); err != nil {
		return err
	}
	if err := root.GenZshCompletionFile(filepath.Join(to, "_mcp-partner")); err != nil {
		return err
	}
	return root.GenFishCompletionFile(filepath.Join(to, "mcp-partner.fish"), true)
}

// compress puts a file into a .gz beside it, without a time, and removes it.
func compress(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	out, err := os.Create(name + ".gz")
	if err != nil {
		return err
	}
	packed, _ := gzip.NewWriterLevel(out, gzip.BestCompression) // the level is a valid one
	if _, err = packed.Write(text); err == nil {
		err = packed.Close()
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Remove(name)
}
