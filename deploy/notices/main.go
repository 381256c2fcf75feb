// Command notices writes the licenses of the modules that a binary contains,
// as the linker recorded them in it, and of Go itself.
//
//	go run ./deploy/notices -binary mcp-partner -output THIRD_PARTY_NOTICES.txt
//
// It fails for a module without a license.
package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	binary := flag.String("binary", "", "`FILE` built with modules")
	output := flag.String("output", "", "`FILE` to write; standard output if empty")
	flag.Parse()
	if err := run(*binary, *output); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(binary, output string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read the modules of the binary: %w", err)
	}
	text, err := notices(info)
	if err != nil {
		return err
	}
	if output == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(output, text, 0o644)
}

func notices(info *debug.BuildInfo) ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "This program contains the following software. Built with %s.\n", info.GoVersion)
	root, err := goEnv("GOROOT")
	if err != nil {
		return nil, err
	}
	if err := appendLicenses(&out, "Go standard library", info.GoVersion, root); err != nil {
		return nil, err
	}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		dir, err := folderOf(module)
		if err != nil {
			return nil, err
		}
		if err := appendLicenses(&out, module.Path, module.Version, dir); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func goEnv(name string) (string, error) {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("go env %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// folderOf returns the folder of a module's files.
func folderOf(module *debug.Module) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module.Path).Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("the folder of %s is unknown: run go mod download", module.Path)
	}
	return dir, nil
}

// appendLicenses appends the licenses and notices of a folder.
func appendLicenses(out *bytes.Buffer, name, version, dir string) error {
	files, err := licenseFiles(dir)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(files, isLicense) {
		return fmt.Errorf("%s %s has no license", name, version)
	}
	fmt.Fprintf(out, "\n%s\n%s %s\n%s\n", strings.Repeat("=", 78), name, version, strings.Repeat("=", 78))
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return errors.New("cannot read the " + file + " of " + name)
		}
		fmt.Fprintf(out, "\n-- %s --\n\n%s\n", file, bytes.TrimSpace(text))
	}
	return nil
}

func licenseFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if !entry.IsDir() && !strings.HasSuffix(name, ".GO") && (isLicense(name) || strings.HasPrefix(name, "NOTICE")) {
			files = append(files, entry.Name())
		}
	}
	return files, nil
}

func isLicense(name string) bool {
	name = strings.ToUpper(name)
	return strings.HasPrefix(name, "LICEN") || strings.HasPrefix(name, "COPYING")
}
