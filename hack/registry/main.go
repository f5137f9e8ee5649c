// Command registry serves an OCI registry at a socket of the file system, for tests: the reference implementation, whose
// own command links the storage of three clouds, too.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve takes the path of the registry's configuration, and of the socket.
func serve() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: registry <configuration> <socket>")
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		return err
	}
	defer file.Close()
	config, err := configuration.Parse(file)
	if err != nil {
		return err
	}
	app := handlers.NewApp(context.Background(), config)
	listener, err := net.Listen("unix", os.Args[2])
	if err != nil {
		return err
	}
	return http.Serve(listener, app)
}
