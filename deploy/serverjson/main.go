// Command serverjson fills deploy/server.json in for the MCP registry: name,
// version, and a package for each bundle, with its SHA-256.
//
//	go run ./deploy/serverjson -name io.github.OWNER/mcp-partner -version 1.2.3 \
//	  -base-url https://github.com/OWNER/mcp-partner/releases/download/v1.2.3 dist/*.mcpb > server.json
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// document is server.json as far as this program fills it in.
type document struct {
	Schema      string    `json:"$schema"`
	Name        string    `json:"name"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Version     string    `json:"version"`
	Packages    []bundled `json:"packages"`
}

type bundled struct {
	RegistryType string            `json:"registryType"`
	Identifier   string            `json:"identifier"`
	FileSHA256   string            `json:"fileSha256"`
	Transport    map[string]string `json:"transport"`
}

func main() {
	template := flag.String("template", filepath.Join("deploy", "server.json"), "`FILE` to fill in")
	name := flag.String("name", "", "`NAME` in the registry, such as io.github.OWNER/mcp-partner")
	version := flag.String("version", "", "`VERSION` without a leading v")
	baseURL := flag.String("base-url", "", "`URL` of the folder that the bundles are published in")
	flag.Parse()
	if err := run(*template, *name, *version, *baseURL, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "serverjson:", err)
		os.Exit(1)
	}
}

func run(template, name, version, baseURL string, bundles []string) error {
	if name == "" || version == "" || !strings.HasPrefix(baseURL, "https://") || len(bundles) == 0 {
		return errors.New("give -name, -version, -base-url https://... and the bundles")
	}
	text, err := os.ReadFile(template)
	if err != nil {
		return err
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("%s: %w", template, err)
	}
	d.Name, d.Version, d.Packages = name, version, nil
	for _, bundle := range bundles {
		sum, err := sumOf(bundle)
		if err != nil {
			return err
		}
		d.Packages = append(d.Packages, bundled{
			RegistryType: "mcpb", Identifier: strings.TrimRight(baseURL, "/") + "/" + filepath.Base(bundle),
			FileSHA256: sum, Transport: map[string]string{"type": "stdio"},
		})
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(d)
}

func sumOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
