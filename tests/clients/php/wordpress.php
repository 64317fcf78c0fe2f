<?php
/*
 * Asks through WordPress's Akismet plugin: its unmodified class over WordPress's own HTTP layer.
 *
 * Reads one JSON object a line and answers with one. What needs a database is kept in arrays here.
 */

list( , $wordpress, $mu_plugin, $blog, $key ) = $argv;
define( 'ABSPATH', "$wordpress/" );
define( 'WPINC', 'wp-includes' );
define( 'WP_CONTENT_DIR', "$wordpress/wp-content" );
define( 'WP_DEBUG', true );
error_reporting( E_ALL & ~E_DEPRECATED );  // WordPress 6.1 is older than PHP 8.2

foreach ( array( 'version', 'load', 'class-wp-error', 'class-wp-object-cache', 'cache', 'plugin', 'functions', 'formatting', 'kses', 'http', 'pluggable' ) as $file ) {
	require_once ABSPATH . WPINC . "/$file.php";
}
require_once ABSPATH . WPINC . '/class-requests.php';
Requests::register_autoloader();
foreach ( array( '', '-proxy', '-cookie', '-encoding', '-response', '-requests-response', '-requests-hooks', '-curl', '-streams' ) as $part ) {
	require_once ABSPATH . WPINC . "/class-wp-http$part.php";
}

wp_cache_init();
$options  = array( 'home' => $blog, 'blog_charset' => 'UTF-8', 'wordpress_api_key' => $key, 'akismet_ssl_disabled' => false );
wp_cache_set( 'alloptions', $options, 'options' );
$meta     = array();
$comments = array();
$headers  = array();

function get_bloginfo( $show = '' ) { return 'version' === $show ? $GLOBALS['wp_version'] : $GLOBALS['blog']; }
function set_url_scheme( $url, $scheme ) { return preg_replace( '/^\w+/', $scheme, $url ); }
function current_user_can() { return false; }
function get_locale() { return 'en_US'; }
function get_permalink( $post ) { return $GLOBALS['blog'] . '/?p=' . $post; }
function get_post( $id ) { return (object) array( 'ID' => $id, 'post_modified_gmt' => '2026-11-01 08:00:00' ); }
function __( $text ) { return $text; }
function get_comment_meta( $id, $name, $single = false ) { return $GLOBALS['meta'][ $id ][ $name ] ?? ''; }
function add_comment_meta( $id, $name, $value ) { $GLOBALS['meta'][ $id ][ $name ] = $value; return true; }
function update_comment_meta( $id, $name, $value ) { return add_comment_meta( $id, $name, $value ); }
function delete_comment_meta( $id, $name ) { unset( $GLOBALS['meta'][ $id ][ $name ] ); return true; }
function wp_next_scheduled( $hook ) { return true; }
function wp_set_comment_status( $id, $status ) { $GLOBALS['comments'][ $id ]['comment_approved'] = $status; return true; }
function wp_filter_comment( $comment ) { return $comment; }

class Comments {
	public $comments = 'wp_comments';
	public $options  = 'wp_options';
	public function prepare( $query, $id ) { return $id; }
	public function update() { return 1; }
	public function query() { return 1; }
	public function suppress_errors() {}
	public function get_row( $id, $form = OBJECT ) {
		$row = $GLOBALS['comments'][ $id ] ?? null;
		return null === $row || ARRAY_A === $form ? $row : (object) $row;
	}
}
if ( ! defined( 'OBJECT' ) ) {
	define( 'OBJECT', 'OBJECT' );
	define( 'ARRAY_A', 'ARRAY_A' );
}
$wpdb         = new Comments();
$current_user = (object) array( 'ID' => 0, 'user_login' => 'eva' );

define( 'AKISMET_VERSION', preg_match( '/^Version: (\S+)/m', file_get_contents( WP_CONTENT_DIR . '/plugins/akismet/akismet.php' ), $found ) ? $found[1] : '' );
require WP_CONTENT_DIR . '/plugins/akismet/class.akismet.php';
require $mu_plugin;

add_action( 'akismet_comment_check_response', function ( $response ) {
	$GLOBALS['headers'] = array_change_key_case( is_array( $response[0] ) ? $response[0] : iterator_to_array( $response[0] ) );
} );

function check( $asked ) {
	$_SERVER['REMOTE_ADDR']     = '198.51.100.7';
	$_SERVER['HTTP_USER_AGENT'] = 'Mozilla/5.0';
	$_SERVER['HTTP_COOKIE']     = 'canary';
	$_POST                      = array( 'comment' => $asked['content'], 'ak_js' => '1' );
	// As wp_new_comment() is handed it: slashed.
	$comment  = wp_slash( array(
		'comment_post_ID'      => 17,
		'comment_author'       => "Ann O'Hara",
		'comment_author_email' => 'ann@example.org',
		'comment_author_url'   => '',
		'comment_content'      => $asked['content'],
		'comment_type'         => 'comment',
		'comment_parent'       => 0,
		'user_ID'              => 0,
	) );
	$checked  = Akismet::auto_check_comment( $comment );
	$approved = Akismet::last_comment_status( '1', $comment );
	$id       = count( $GLOBALS['comments'] ) + 1;
	add_comment_meta( $id, 'akismet_as_submitted', wp_unslash( $checked['comment_as_submitted'] ) );
	$GLOBALS['comments'][ $id ] = wp_unslash( array( 'comment_ID' => $id, 'comment_approved' => $approved, 'comment_author_IP' => '198.51.100.7', 'comment_agent' => 'Mozilla/5.0', 'comment_date_gmt' => gmdate( 'Y-m-d H:i:s' ) ) + $comment );
	return array( 'id' => $id, 'result' => $checked['akismet_result'], 'approved' => $approved, 'headers' => $GLOBALS['headers'] );
}

function submit( $asked ) {
	$told = null;
	add_action( 'akismet_submit_spam_comment', function ( $id, $response ) use ( &$told ) { $told = $response; }, 10, 2 );
	add_action( 'akismet_submit_nonspam_comment', function ( $id, $response ) use ( &$told ) { $told = $response; }, 10, 2 );
	wp_set_comment_status( $asked['id'], 'spam' === $asked['what'] ? 'spam' : '1' );
	'spam' === $asked['what'] ? Akismet::submit_spam_comment( $asked['id'] ) : Akismet::submit_nonspam_comment( $asked['id'] );
	return array( 'told' => $told );
}

while ( $line = fgets( STDIN ) ) {
	$asked = json_decode( $line, true );
	switch ( $asked['ask'] ) {
		case 'verify':
			$answer = array( 'result' => Akismet::verify_key( $asked['key'] ?? $key ) );
			break;
		case 'check':
			$answer = check( $asked );
			break;
		case 'submit':
			$answer = submit( $asked );
			break;
		case 'recheck':
			$answer = array( 'result' => Akismet::recheck_comment( $asked['id'] ), 'approved' => $comments[ $asked['id'] ]['comment_approved'] );
			break;
		case 'retry':
			$answer = array( 'result' => Akismet::check_db_comment( $asked['id'], 'retry' ) );
			break;
		case 'link':
			$answer = array( 'link' => esc_url( $asked['to'] ) );
			break;
		case 'deactivate':
			$answer = array( 'result' => Akismet::deactivate_key( $key ) );
			break;
		case 'stats':
			list( , $body ) = Akismet::http_post( Akismet::build_query( array( 'blog' => get_option( 'home' ), 'key' => $key, 'from' => '6-months' ) ), 'get-stats' );
			$answer         = array( 'result' => json_decode( $body, true ) );
			break;
	}
	echo json_encode( $answer ), "\n";
}
