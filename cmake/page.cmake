# Put a page's parts into its frame, web/page.html.
#   cmake -DWEB=DIR -DUPLOT=DIR -DOUTPUT=FILE -P page.cmake
file(READ ${WEB}/page.html page)
file(READ ${WEB}/page.css PAGE_CSS)
file(READ ${WEB}/page.js PAGE_JS)
file(READ ${UPLOT}/uPlot.min.css UPLOT_CSS)
file(READ ${UPLOT}/uPlot.iife.min.js UPLOT_JS)
foreach(part UPLOT_CSS UPLOT_JS PAGE_CSS PAGE_JS)
  string(REPLACE "@${part}@" "${${part}}" page "${page}")
endforeach()
file(WRITE ${OUTPUT} "${page}")
