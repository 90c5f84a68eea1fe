package shell

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write texts.json")

// What the help says is what the doc comments of packages param and model say.
func TestTexts(t *testing.T) {
	type all struct {
		Types  map[string]string
		Fields map[string]map[string]string
		Values map[string][]string
	}
	want := all{map[string]string{}, map[string]map[string]string{}, map[string][]string{}}
	for _, pkg := range []string{"param", "model"} {
		for _, file := range sources(t, pkg) {
			for _, d := range file.Decls {
				decl, ok := d.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						name := spec.Name.Name
						if st, ok := spec.Type.(*ast.StructType); ok && (strings.HasSuffix(name, "Param") ||
							strings.HasSuffix(name, "Notice") || pkg == "param" && name == "Common") {
							want.Types[name] = sentence(name, decl.Doc.Text())
							want.Fields[name] = fieldTexts(st)
						}
					case *ast.ValueSpec:
						if typ, ok := spec.Type.(*ast.Ident); ok && len(spec.Values) == 1 && spec.Names[0].IsExported() {
							if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
								value, err := strconv.Unquote(lit.Value)
								require.NoError(t, err)
								want.Values[typ.Name] = append(want.Values[typ.Name], value)
							}
						}
					}
				}
			}
		}
	}
	text, err := json.MarshalIndent(want, "", "\t")
	require.NoError(t, err)
	text = append(text, '\n')
	if *update {
		require.NoError(t, os.WriteFile("texts.json", text, 0o600))
		return
	}
	if !bytes.Equal(text, textsFile) {
		require.Fail(t, "a doc comment of package param or model has changed",
			"run go test ./internal/shell -run TestTexts -update in cmd/daxpay")
	}
}

func sources(t *testing.T, pkg string) []*ast.File {
	t.Helper()
	// The tree's, whichever version the module requires. Glob sorts.
	names, err := filepath.Glob(filepath.Join("..", "..", "..", "..", pkg, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	return files
}

func fieldTexts(st *ast.StructType) map[string]string {
	fields := map[string]string{}
	doc := "" // of several fields, if the next ones have none
	for _, f := range st.Fields.List {
		if f.Doc != nil {
			doc = f.Doc.Text()
		}
		for i, name := range f.Names {
			text := ""
			if f.Doc != nil && i == 0 {
				text = sentence(name.Name, doc)
			}
			if term := regexp.MustCompile(name.Name + ` [^,;(]*\((\p{Han}[^),]*)`).FindStringSubmatch(doc); text == "" && term != nil {
				text = term[1]
			}
			if text != "" {
				fields[name.Name] = text
			}
		}
	}
	return fields
}

// sentence takes the name off a doc comment, of which the first paragraph counts. One that tells of several names is of
// no use in the help of one.
func sentence(name, doc string) string {
	doc, _, _ = strings.Cut(doc, "\n\n")
	doc = strings.TrimSpace(strings.ReplaceAll(doc, "\n", " "))
	if severalNames.MatchString(doc) {
		return ""
	}
	doc = strings.TrimPrefix(doc, name+" ")
	for _, verb := range []string{"is ", "are "} {
		doc = strings.TrimPrefix(doc, verb)
	}
	return strings.TrimSuffix(doc, ".")
}

var severalNames = regexp.MustCompile(`^[A-Z][A-Za-z]* \([^)]*\)(,| and) [A-Z]`)
