package deptest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// comparesText names the functions with which names would be compared past
// internal/naming.
var comparesText = []string{"path.Match", "filepath.Match", "strings.EqualFold", "strings.ToLower"}

// otherText are the files of the deciding rooms that compare something else than
// names with them.
var otherText = map[string]string{
	"guard/decide.go":    "callers and accounts, where more that are the same refuse more",
	"guard/permit.go":    "tenant and object IDs, which are GUIDs, and methods",
	"fleet/auditing.go":  "object IDs, which are GUIDs",
	"fleet/tenantrun.go": "tenant IDs, which are GUIDs",
	"fleet/planning.go":  "tenant IDs, which are GUIDs",
	"tools/audit.go":     "no names: it words a title",
	"tools/pec.go":       "object IDs, which are GUIDs",
	"tools/tenants.go":   "tenant IDs, which are GUIDs",
	"tools/mcp.go":       "the beginning of a link in text that is escaped",
}

// Rules, bounds, grants and selections compare names by internal/naming alone: a
// second way to compare is a way around a denial.
func TestOnlyNamingComparesNames(t *testing.T) {
	t.Parallel()
	for _, room := range []string{"guard", "fleet", "tools"} {
		err := filepath.WalkDir(filepath.Join("..", "..", room), func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(file, filepath.Join("..", "..")+string(filepath.Separator)))
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				of, ok := selector.X.(*ast.Ident)
				if ok && slices.Contains(comparesText, of.Name+"."+selector.Sel.Name) && otherText[name] == "" {
					t.Errorf("%s uses %s.%s: compare names by internal/naming, or say in otherText what it compares", name, of.Name, selector.Sel.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
